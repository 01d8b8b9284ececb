#include "service/api_request.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/percent.hpp"
#include "base/utf8.hpp"
#include "credentials/sources.hpp"
#include "provisioning/turn_uri.hpp"
#include "service/api_json.hpp"
#include "sip/text.hpp"

namespace turnpike::service {
namespace {

template <typename Value>
using Read = std::expected<Value, ApiRequestError>;

constexpr std::uint64_t ttl_max = 366 * 86400;
constexpr std::size_t shown_bytes_max = 64;  // of what a stranger wrote, in an answer

std::unexpected<ApiRequestError> complain(std::string_view name, std::string_view found,
                                          std::string_view allowed) {
  return std::unexpected(ApiRequestError{
      .words = fmt::format("{}: found \"{}\", allowed: {}", name,
                           is_utf8(found) ? found.substr(0, shown_bytes_max) : "no UTF-8", allowed)});
}

// The parameters of one request, wherever they stand.
class Parameters {
 public:
  static Read<Parameters> read(const ServedRequest& request);
  [[nodiscard]] std::optional<std::string> find(std::string_view name) const {
    if (auto found = request_->find_query(name)) return found;
    const auto found = body_.find(std::string{name});
    return found == body_.end() ? std::nullopt : std::optional{found->second};
  }
  // The first of these names that is there.
  [[nodiscard]] std::optional<std::string> find_any(std::initializer_list<std::string_view> names) const {
    for (const std::string_view name : names)
      if (auto found = find(name)) return found;
    return std::nullopt;
  }

 private:
  explicit Parameters(const ServedRequest& request) : request_(&request) {}
  const ServedRequest* request_;
  std::map<std::string, std::string> body_{};
};

std::string_view media_type_of(const ServedRequest& request) {
  const std::string_view type = request.find("Content-Type").value_or("");
  return sip::trimmed(type.substr(0, type.find(';')));
}

Read<Parameters> Parameters::read(const ServedRequest& request) {
  Parameters parameters{request};
  if (!decode_percent(request.target, true))
    return std::unexpected(ApiRequestError{.words = "the query has a \"%\" without two hexadecimal digits"});
  if (request.body.empty()) return parameters;
  const std::string_view type = media_type_of(request);
  if (sip::equal_ignoring_case(type, "application/json")) {
    auto body = parse_api_body(request.body);
    if (!body) return std::unexpected(ApiRequestError{.words = "the body is no JSON object"});
    parameters.body_ = std::move(*body);
    return parameters;
  }
  if (!sip::equal_ignoring_case(type, "application/x-www-form-urlencoded"))
    return std::unexpected(ApiRequestError{
        .is_unsupported_body = true,
        .words = "Content-Type: allowed: application/json, application/x-www-form-urlencoded"});
  if (!decode_percent(request.body, true))
    return std::unexpected(ApiRequestError{.words = "the form has a \"%\" without two hexadecimal digits"});
  // A form is a query that stands elsewhere.
  const ServedRequest form{.target = '?' + request.body};
  for (const char* name :
       {"service", "user", "username", "ttl", "Ttl", "transport", "type", "realm", "format"})
    if (auto value = form.find_query(name)) parameters.body_.emplace(name, std::move(*value));
  return parameters;
}

bool is_user(std::string_view text) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  return !text.empty() && text.size() <= api_user_bytes_max && is_utf8(text) &&
         std::ranges::none_of(text, is_control);
}

Read<std::string> read_user(const Parameters& parameters) {
  const auto user = parameters.find_any({"user", "username"});
  if (!user || user->empty()) return std::string{};
  if (!is_user(*user))
    return std::unexpected(ApiRequestError{
        .words = fmt::format("user: allowed: 1 to {} bytes of UTF-8 without control characters",
                             api_user_bytes_max)});
  return *user;
}

Read<ApiFormat> read_format(const Parameters& parameters) {
  constexpr std::array<std::pair<std::string_view, ApiFormat>, 6> names{
      {{"all", ApiFormat::all},
       {"draft", ApiFormat::draft},
       {"iceservers", ApiFormat::ice_servers},
       {"twilio", ApiFormat::twilio},
       {"matrix", ApiFormat::matrix},
       {"xep0215", ApiFormat::xep0215}}};
  const auto text = parameters.find("format");
  if (!text) return ApiFormat::all;
  const auto found = std::ranges::find(names, *text, &std::pair<std::string_view, ApiFormat>::first);
  if (found == names.end())
    return complain("format", *text, "all, draft, iceservers, twilio, matrix, xep0215");
  return found->second;
}

Read<provisioning::Request> read_wish(const Parameters& parameters) {
  provisioning::Request wish;
  if (const auto text = parameters.find_any({"ttl", "Ttl"})) {
    const auto seconds = sip::parse_number(*text, ttl_max);
    if (!seconds || *seconds == 0) return complain("ttl", *text, fmt::format("1 to {} seconds", ttl_max));
    wish.ttl = std::chrono::seconds{static_cast<std::int64_t>(*seconds)};
  }
  if (const auto text = parameters.find("transport")) {
    const auto transport = provisioning::find_transport(*text);
    if (!transport) return complain("transport", *text, "udp, tcp");
    wish.transport = std::string{*transport};
  }
  if (const auto text = parameters.find("type")) {
    if (*text != "password" && *text != "oauth") return complain("type", *text, "password, oauth");
    wish.form = *text == "oauth" ? provisioning::Form::oauth : provisioning::Form::password;
  }
  wish.realm = parameters.find("realm");
  return wish;
}

}  // namespace

std::expected<ApiOrder, ApiRequestError> read_api_order(const ServedRequest& request) {
  const auto parameters = Parameters::read(request);
  if (!parameters) return std::unexpected(parameters.error());
  if (const auto service = parameters->find("service"); service && *service != "turn")
    return complain("service", *service, "turn");
  auto user = read_user(*parameters);
  if (!user) return std::unexpected(std::move(user.error()));
  auto wish = read_wish(*parameters);
  if (!wish) return std::unexpected(std::move(wish.error()));
  const auto format = read_format(*parameters);
  if (!format) return std::unexpected(format.error());
  return ApiOrder{.user = std::move(*user), .wish = std::move(*wish), .format = *format};
}

std::expected<ApiWithdrawal, ApiRequestError> read_api_withdrawal(const ServedRequest& request) {
  const auto parameters = Parameters::read(request);
  if (!parameters) return std::unexpected(parameters.error());
  ApiWithdrawal withdrawal{.user = parameters->find("user").value_or(""),
                           .username = parameters->find("username").value_or("")};
  if (withdrawal.user.empty() == withdrawal.username.empty())
    return std::unexpected(ApiRequestError{
        .words = "name whose credentials to take back (user) or one of them (username), and not both"});
  if (!withdrawal.user.empty() && !is_user(withdrawal.user))
    return std::unexpected(
        ApiRequestError{.words = "user: allowed: 1 to 255 bytes of UTF-8 without control characters"});
  if (withdrawal.username.size() > credentials::username_bytes_max)
    return std::unexpected(
        ApiRequestError{.words = fmt::format("username: found {} bytes, allowed: 1 to {}",
                                             withdrawal.username.size(), credentials::username_bytes_max)});
  return withdrawal;
}

std::optional<std::string_view> find_authorization(const ServedRequest& request, std::string_view scheme) {
  const auto field = request.find("Authorization");
  if (!field || field->size() <= scheme.size() || (*field)[scheme.size()] != ' ') return std::nullopt;
  if (!sip::equal_ignoring_case(field->substr(0, scheme.size()), scheme)) return std::nullopt;
  return sip::trimmed(field->substr(scheme.size() + 1));
}

}  // namespace turnpike::service
