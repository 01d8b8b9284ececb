#include "program/subscriber_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "base/bytes.hpp"
#include "ims/subscriber_rules.hpp"
#include "sip/digest.hpp"

namespace turnpike::program {
namespace {

constexpr std::array<std::string_view, 9> names{"impi", "impus", "password", "realm", "k",
                                                "opc",  "amf",   "pool",     "barred"};
constexpr std::string_view names_text = "impi, impus, password, realm, k, opc, amf, pool, barred";
constexpr std::size_t key_size = 16;
constexpr std::size_t amf_size = 2;

std::expected<ByteVector, std::string> read_hex(std::string_view name, std::string_view text,
                                                std::size_t size) {
  const auto bytes = from_hex(text);
  if (bytes && bytes->size() == size) return *bytes;
  return std::unexpected(
      fmt::format("{}: found {} characters, allowed: {} hexadecimal digits", name, text.size(), 2 * size));
}

std::expected<std::optional<ims::AkaSecret>, std::string> make_aka(const SubscriberRow& row) {
  if (!row.k && !row.opc) {
    if (row.amf) return std::unexpected("amf: found without k and opc");
    return std::nullopt;
  }
  if (!row.k || !row.opc) return std::unexpected("k and opc: found one of them, allowed: both");
  const auto k = read_hex("k", *row.k, key_size);
  if (!k) return std::unexpected(k.error());
  const auto opc = read_hex("opc", *row.opc, key_size);
  if (!opc) return std::unexpected(opc.error());
  ims::AkaSecret aka{.k = Secret{*k}, .opc = Secret{*opc}};
  if (row.amf) {
    const auto amf = read_hex("amf", *row.amf, amf_size);
    if (!amf) return std::unexpected(amf.error());
    std::copy(amf->begin(), amf->end(), aka.amf.begin());
  }
  return aka;
}

// --- CSV (RFC 4180) ---------------------------------------------------------------------------------------

struct CsvLine {
  std::size_t number = 0;  // where it begins
  std::vector<std::string> cells{};
};

// Nothing where a quote is not closed.
std::optional<std::vector<CsvLine>> cut_csv(std::string_view text) {
  std::vector<CsvLine> lines;
  CsvLine line{.number = 1};
  std::string cell;
  std::size_t number = 1;
  bool is_quoted = false;
  const auto end_line = [&] {
    line.cells.push_back(std::exchange(cell, {}));
    if (line.cells.size() > 1 || !line.cells.front().empty()) lines.push_back(std::move(line));
    line = {.number = number + 1};
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"' && is_quoted && at + 1 < text.size() && text[at + 1] == '"') {
      cell += text[++at];
    } else if (c == '"') {
      is_quoted = !is_quoted;
    } else if (c == ',' && !is_quoted) {
      line.cells.push_back(std::exchange(cell, {}));
    } else if (c == '\n' && !is_quoted) {
      end_line();
      ++number;
    } else if (c != '\r' || is_quoted) {
      if (c == '\n') ++number;
      cell += c;
    }
  }
  if (is_quoted) return std::nullopt;
  end_line();
  return lines;
}

std::vector<std::string> cut_words(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end > 0) words.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

// An empty cell is an absent one.
std::expected<void, std::string> set_cell(SubscriberRow& row, std::string_view name,
                                          const std::string& cell) {
  if (cell.empty()) return {};
  if (name == "impi") row.impi = cell;
  if (name == "impus") row.impus = cut_words(cell);
  if (name == "password") row.password = cell;
  if (name == "realm") row.realm = cell;
  if (name == "k") row.k = cell;
  if (name == "opc") row.opc = cell;
  if (name == "amf") row.amf = cell;
  if (name == "pool") row.pool = cell;
  if (name != "barred") return {};
  if (cell != "true" && cell != "false")
    return std::unexpected(fmt::format("barred: found \"{}\", allowed: true, false", cell));
  row.is_barred = cell == "true";
  return {};
}

std::string unknown_name(std::string_view name) {
  return fmt::format("found \"{}\", allowed: {}", name, names_text);
}

bool is_name(std::string_view name) { return std::ranges::find(names, name) != names.end(); }

// --- JSON -------------------------------------------------------------------------------------------------

std::expected<void, std::string> set_member(SubscriberRow& row, const std::string& name,
                                            const nlohmann::json& value) {
  if (!is_name(name)) return std::unexpected(unknown_name(name));
  if (name == "barred") {
    if (!value.is_boolean()) return std::unexpected("barred: allowed: true, false");
    row.is_barred = value.get<bool>();
    return {};
  }
  if (name == "impus") {
    if (!value.is_array()) return std::unexpected("impus: allowed: an array of texts");
    for (const auto& impu : value) {
      if (!impu.is_string()) return std::unexpected("impus: allowed: an array of texts");
      row.impus.push_back(impu.get<std::string>());
    }
    return {};
  }
  if (!value.is_string()) return std::unexpected(name + ": allowed: a text");
  return set_cell(row, name, value.get<std::string>());
}

std::expected<ims::Subscriber, std::string> read_object(const nlohmann::json& object) {
  if (!object.is_object()) return std::unexpected("allowed: an object");
  SubscriberRow row;
  for (const auto& [name, value] : object.items())
    if (auto set = set_member(row, name, value); !set) return std::unexpected(set.error());
  return make_subscriber(row);
}

}  // namespace

std::expected<ims::Subscriber, std::string> make_subscriber(const SubscriberRow& row) {
  ims::Subscriber subscriber{
      .impi = row.impi, .impus = row.impus, .pool = row.pool, .is_barred = row.is_barred};
  if (row.impi.empty()) return std::unexpected("impi: missing");
  if (row.password && row.password->empty()) return std::unexpected("password: found an empty one");
  if (subscriber.impus.empty()) subscriber.impus.push_back("sip:" + row.impi);
  if (row.password) {
    const std::string realm = row.realm.empty() ? row.impi.substr(row.impi.find('@') + 1) : row.realm;
    subscriber.digest = {
        .ha1_md5 = Secret::from_text(sip::make_ha1(sip::DigestHash::md5, row.impi, realm, *row.password)),
        .ha1_sha256 =
            Secret::from_text(sip::make_ha1(sip::DigestHash::sha256, row.impi, realm, *row.password))};
  }
  auto aka = make_aka(row);
  if (!aka) return std::unexpected(aka.error());
  subscriber.aka = *std::move(aka);
  subscriber = ims::normalized(std::move(subscriber));
  if (auto problem = ims::find_problem(subscriber)) return std::unexpected(*std::move(problem));
  return subscriber;
}

Rows parse_subscriber_csv(std::string_view text, const std::string& file) {
  const auto lines = cut_csv(text);
  if (!lines) return std::unexpected(std::vector{file + ": a quote is not closed"});
  if (lines->empty()) return std::unexpected(std::vector{file + ": found nothing, allowed: a line of names"});
  std::vector<std::string> problems;
  const std::vector<std::string>& columns = lines->front().cells;
  for (const std::string& column : columns)
    if (!is_name(column)) problems.push_back(file + ":1: " + unknown_name(column));
  if (std::set(columns.begin(), columns.end()).size() != columns.size())
    problems.push_back(file + ":1: found a name twice, allowed: each one once");
  if (!problems.empty()) return std::unexpected(problems);

  std::vector<ims::Subscriber> subscribers;
  for (std::size_t i = 1; i < lines->size(); ++i) {
    const CsvLine& line = (*lines)[i];
    const std::string place = fmt::format("{}:{}: ", file, line.number);
    if (line.cells.size() != columns.size()) {
      problems.push_back(
          fmt::format("{}found {} cells, allowed: {}", place, line.cells.size(), columns.size()));
      continue;
    }
    SubscriberRow row;
    std::expected<void, std::string> set;
    for (std::size_t column = 0; column < columns.size() && set; ++column)
      set = set_cell(row, columns[column], line.cells[column]);
    auto subscriber = set ? make_subscriber(row)
                          : std::expected<ims::Subscriber, std::string>{std::unexpected(set.error())};
    if (subscriber)
      subscribers.push_back(*std::move(subscriber));
    else
      problems.push_back(place + subscriber.error());
  }
  if (!problems.empty()) return std::unexpected(problems);
  return subscribers;
}

Rows parse_subscriber_json(std::string_view text, const std::string& file) {
  const auto array = nlohmann::json::parse(text, nullptr, false);
  if (!array.is_array()) return std::unexpected(std::vector{file + ": allowed: a JSON array of objects"});
  std::vector<ims::Subscriber> subscribers;
  std::vector<std::string> problems;
  for (std::size_t i = 0; i < array.size(); ++i) {
    auto subscriber = read_object(array[i]);
    if (subscriber)
      subscribers.push_back(*std::move(subscriber));
    else
      problems.push_back(fmt::format("{}: [{}]: {}", file, i, subscriber.error()));
  }
  if (!problems.empty()) return std::unexpected(problems);
  return subscribers;
}

}  // namespace turnpike::program
