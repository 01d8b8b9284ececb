#include "program/token_command.hpp"

#include <fmt/format.h>

#include <memory>
#include <vector>

#include "credentials/token.hpp"
#include "program/time_text.hpp"

namespace turnpike::program {
namespace {

using credentials::TokenAlgorithm;

struct Sealing {
  Secret key;
  TokenAlgorithm algorithm{};
  std::string server_name;
  std::string remark{};
  [[nodiscard]] credentials::TokenSeal seal() const { return {key.reveal(), algorithm, server_name}; }
};

// What was typed is a secret: the complaint tells its size alone.
std::expected<Secret, std::string> read_base64(std::string_view option, std::string_view text) {
  auto bytes = from_base64(text);
  if (!bytes) bytes = from_base64url(text);
  if (!bytes)
    return std::unexpected(fmt::format("{}: found {} characters that are not base64", option, text.size()));
  Secret secret{*bytes};
  wipe(*bytes);
  return secret;
}

std::expected<Sealing, std::string> read_sealing(const TokenKeyOptions& options) {
  const auto algorithm = credentials::parse_token_algorithm(options.algorithm);
  if (!algorithm)
    return std::unexpected(fmt::format("--alg: found \"{}\", allowed: A256GCM, A128GCM", options.algorithm));
  if (options.server_name.empty()) return std::unexpected("--server-name: found nothing, allowed: a name");
  if (options.derive && (!options.kid || options.kid->empty()))
    return std::unexpected("--derive: needs --kid, as each kid has a key of its own");
  auto key = read_base64("--key", options.key);
  if (!key) return std::unexpected(key.error());

  Sealing sealing{std::move(*key), *algorithm, options.server_name};
  const std::size_t size = credentials::key_size(*algorithm);
  if (sealing.key.size() > size) {
    sealing.remark = fmt::format("--key has {} bytes; {} takes the first {}, as coturn does",
                                 sealing.key.size(), credentials::to_string(*algorithm), size);
    sealing.key = Secret{sealing.key.reveal().first(size)};
  } else if (sealing.key.size() < size) {
    return std::unexpected(fmt::format("--key: found {} bytes, allowed: base64 of {} bytes for {}",
                                       sealing.key.size(), size, credentials::to_string(*algorithm)));
  }
  if (options.derive)
    sealing.key = credentials::derive_token_key(sealing.key, *algorithm, options.server_name, *options.kid);
  return sealing;
}

std::expected<ByteVector, std::string> read_nonce(const std::optional<std::string>& text, Random& random) {
  if (!text) return to_vector(random.draw<12>());
  const auto bytes = read_base64("--nonce", *text);
  if (!bytes) return std::unexpected(bytes.error());
  if (bytes->empty() || bytes->size() > credentials::token_nonce_max)
    return std::unexpected(fmt::format("--nonce: found {} bytes, allowed: base64 of 1 to {} bytes",
                                       bytes->size(), credentials::token_nonce_max));
  return to_vector(bytes->reveal());
}

std::optional<ByteVector> read_token(const TokenDecodeOptions& options) {
  if (options.hex) return from_hex(options.token);
  if (auto bytes = from_base64(options.token)) return bytes;
  return from_base64url(options.token);
}

std::string describe_time(const credentials::TokenContent& content, WallTime wall) {
  switch (credentials::check_token_time(content, wall)) {
    case credentials::TokenTime::valid:
      return "valid";
    case credentials::TokenTime::expired:
      return "expired";
    case credentials::TokenTime::in_future:
      return "dated in the future: refused";
    case credentials::TokenTime::without_lifetime:
      return "without a lifetime: refused";
  }
  return {};
}

std::string describe_policy(const credentials::TokenPolicy& policy) {
  std::string text = fmt::format("subject      {}\n", policy.subject.empty() ? "none" : policy.subject);
  const auto number = [](std::uint64_t value) {
    return value == 0 ? "as the server says" : std::to_string(value);
  };
  text += fmt::format("allocations  {}\n", number(policy.policy.allocations_max));
  text += fmt::format("bytes/s      {}\n", number(policy.policy.bytes_per_second));
  for (const IpPrefix& prefix : policy.policy.allowed_peers)
    text += fmt::format("peers        {}\n", prefix.to_string());
  return text;
}

std::string describe(const credentials::TokenContent& content, WallTime wall) {
  const WallTime issued = credentials::from_token_timestamp(content.timestamp);
  const auto fraction = std::chrono::floor<std::chrono::milliseconds>(
      issued - std::chrono::floor<std::chrono::seconds>(issued));
  std::string text = fmt::format("mac_key      {} ({} bytes)\n", to_base64(content.mac_key.reveal()),
                                 content.mac_key.size());
  text += fmt::format("timestamp    {} ({} and {} ms)\n", content.timestamp, format_time(issued),
                      fraction.count());
  text += fmt::format("lifetime     {} s\n", content.lifetime);
  const WallTime end = from_unix_seconds(static_cast<std::uint64_t>(unix_seconds(issued)) + content.lifetime);
  text += fmt::format("ends         {} ({})\n", format_time(end), format_distance(end, wall));
  text += fmt::format("state        {}\n", describe_time(content, wall));
  if (content.policy) text += describe_policy(*content.policy);
  return text;
}

}  // namespace

Answer encode_token_by_hand(const TokenEncodeOptions& options, WallTime wall, Random& random) {
  const auto sealing = read_sealing(options.sealing);
  if (!sealing) return refuse(sealing.error());
  const auto nonce = read_nonce(options.nonce, random);
  if (!nonce) return refuse(nonce.error());
  auto mac_key = read_base64("--mac-key", options.mac_key);
  if (!mac_key) return refuse(mac_key.error());
  if (mac_key->empty() || mac_key->size() > credentials::Key::size_max)
    return refuse(
        fmt::format("--mac-key: found {} bytes, allowed: base64 of 1 to {} bytes; 20 and 32 are usual",
                    mac_key->size(), credentials::Key::size_max));
  if (options.timestamp && options.issued_at) return refuse("--timestamp and --issued-at say the same twice");

  const WallTime issued = options.issued_at ? from_unix_seconds(*options.issued_at) : wall;
  credentials::TokenContent content;
  content.mac_key = std::move(*mac_key);
  content.timestamp = options.timestamp.value_or(credentials::to_token_timestamp(issued));
  content.lifetime = static_cast<std::uint32_t>(options.lifetime);
  const ByteVector token = credentials::encode_token(content, *nonce, sealing->seal());

  Answer answer = say((options.hex ? to_hex(token) : to_base64(token)) + '\n');
  answer.complaint = sealing->remark;
  return answer;
}

Answer decode_token_by_hand(const TokenDecodeOptions& options, WallTime wall) {
  const auto sealing = read_sealing(options.sealing);
  if (!sealing) return refuse(sealing.error());
  const auto token = read_token(options);
  if (!token)
    return refuse(fmt::format("the token is malformed: its {} characters are not {}", options.token.size(),
                              options.hex ? "hexadecimal" : "base64"));
  const auto content = credentials::decode_token(*token, sealing->seal());
  if (!content) {
    if (content.error() == credentials::TokenError::malformed)
      return refuse(
          fmt::format("the token is malformed: its {} bytes are not laid out as RFC 7635 section 6.2 says",
                      token->size()));
    return say_no(
        "the token does not open: it was sealed with another key, algorithm or server name, or altered");
  }
  Answer answer = say(describe(*content, options.at ? from_unix_seconds(*options.at) : wall));
  answer.complaint = sealing->remark;
  return answer;
}

// --- the command line
// ---------------------------------------------------------------------------------------
namespace {

void add_key_options(Command& command, TokenKeyOptions& options) {
  command.group("The key that authorization server and TURN server share")
      .required_text("--key", options.key, "the key, in base64")
      .required_text("--server-name", options.server_name, "the TURN server's name, which the seal covers")
      .choice("--alg", options.algorithm, {"A256GCM", "A128GCM"}, "how it is sealed")
      .text("--kid", options.kid, "the name of the key; the token itself does not carry it")
      .flag("--derive", options.derive, "--key is a master key: derive the key of --kid from it")
      .group("Options");
}

constexpr const char* encode_help =
    "Prints the token on one line. A client shows it in ACCESS-TOKEN, with the kid as its\n"
    "USERNAME and the mac_key as the key of MESSAGE-INTEGRITY.\n\n"
    "Example:\n"
    "  key=$(turnpike key generate); mac=$(turnpike key generate --size 20)\n"
    "  turnpike token encode --key \"$key\" --server-name turn.ims.example --mac-key \"$mac\"\n";
constexpr const char* decode_help =
    "Prints what is inside, or says why the token does not open (exit status 1).\n\n"
    "Example:\n"
    "  turnpike token decode --key \"$key\" --server-name turn.ims.example \"$token\"\n";

}  // namespace

void add_token_command(Command root) {
  Command token =
      root.add("token", "Make an RFC 7635 access token by hand, or look into one").require_command();

  const auto encode = std::make_shared<TokenEncodeOptions>();
  Command encoding = token.add("encode", "Print a token");
  add_key_options(encoding, encode->sealing);
  encoding.required_text("--mac-key", encode->mac_key, "the key between client and TURN server, in base64")
      .number("--lifetime", encode->lifetime, 0, UINT32_MAX, "seconds from its timestamp")
      .number("--issued-at", encode->issued_at, 0, (std::uint64_t{1} << 48) - 1,
              "seconds since 1970; now if unset")
      .number("--timestamp", encode->timestamp, 0, UINT64_MAX,
              "the same as on the wire: seconds x 65536 + fraction")
      .text("--nonce", encode->nonce, "1 to 64 bytes in base64; 12 random bytes if unset")
      .flag("--hex", encode->hex, "print hexadecimal instead of base64")
      .explain(encode_help);
  encoding.on_run([encode] {
    SystemRandom random;
    return encode_token_by_hand(*encode, read_clocks().wall, random);
  });

  const auto decode = std::make_shared<TokenDecodeOptions>();
  Command decoding = token.add("decode", "Print what a token holds");
  add_key_options(decoding, decode->sealing);
  decoding.required_text("TOKEN", decode->token, "the token, in base64 or base64url")
      .flag("--hex", decode->hex, "the token is in hexadecimal")
      .number("--at", decode->at, 0, (std::uint64_t{1} << 48) - 1,
              "judge its time at this second since 1970, not now")
      .explain(decode_help);
  decoding.on_run([decode] { return decode_token_by_hand(*decode, read_clocks().wall); });
}

}  // namespace turnpike::program
