#include "service/issuer_keys.hpp"

#include <algorithm>
#include <charconv>

namespace turnpike::service {

std::optional<Instant> IssuerKeys::next_fetch() const {
  if (is_fetching_) return std::nullopt;
  return fetch_at_;
}

IssuerKeys::Advice IssuerKeys::on_missing(Instant now) const {
  if (is_fetching_ || !ended_at_) return Advice::wait;
  // A fetch that has failed is repeated in its own time.
  if (has_failed_) return now >= fetch_at_ ? Advice::wait : Advice::give_up;
  return now - *ended_at_ >= settings_.unknown_key_interval ? Advice::wait : Advice::believe;
}

void IssuerKeys::on_fetch_started() { is_fetching_ = true; }

void IssuerKeys::on_fetched(jose::KeySet keys, std::optional<std::chrono::seconds> lifetime, Instant now) {
  keys_ = std::move(keys);
  is_fetching_ = false;
  has_failed_ = false;
  retry_ = {};
  ended_at_ = now;
  const auto good_for = std::clamp(lifetime.value_or(settings_.lifetime_default), settings_.lifetime_min,
                                   settings_.lifetime_max);
  fetch_at_ = now + good_for - good_for / 5;
}

void IssuerKeys::on_fetch_failed(Instant now) {
  is_fetching_ = false;
  has_failed_ = true;
  ended_at_ = now;
  retry_ = retry_.count() == 0 ? settings_.retry_first : std::min(retry_ * 2, settings_.retry_max);
  fetch_at_ = now + retry_;
}

std::optional<std::chrono::seconds> read_max_age(std::string_view cache_control) {
  constexpr std::string_view separators = " \t,";
  while (!cache_control.empty()) {
    const auto end = std::min(cache_control.find_first_of(separators), cache_control.size());
    const std::string_view directive = cache_control.substr(0, end);
    cache_control.remove_prefix(std::min(end + 1, cache_control.size()));
    if (directive == "no-store" || directive == "no-cache") return std::chrono::seconds{0};
    constexpr std::string_view name = "max-age=";
    if (!directive.starts_with(name)) continue;
    std::uint32_t seconds = 0;
    const char* last = directive.data() + directive.size();
    const auto [at, error] = std::from_chars(directive.data() + name.size(), last, seconds);
    if (error == std::errc{} && at == last) return std::chrono::seconds{seconds};
  }
  return std::nullopt;
}

}  // namespace turnpike::service
