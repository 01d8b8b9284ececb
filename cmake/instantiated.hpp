#pragma once

// What most sources with JSON use of it, and of fmt. Read with the precompiled headers alone (cmake/house.cmake): what is
// used here is instantiated and compiled once for all of them, as sanitizers make it dear.

#include <cstdint>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

template <class Json>
std::string house_use_json(const std::string& text) {
  Json document = Json::parse(text, nullptr, false);
  document["text"] = text;
  document["literal"] = "literal";
  document["flag"] = true;
  document["number"] = 1;
  document["count"] = std::uint64_t{1};
  document["seconds"] = std::int64_t{1};
  document["list"] = std::vector<std::string>{text};
  document["nested"] = Json{{"text", text}, {"flag", true}, {"number", 1U}};
  document["array"] = Json::array();
  document["array"].push_back(document);
  document["array"].push_back(text);
  for (const auto& [key, value] : document.items()) {
    if (value.is_string() && value == "literal") return key + value.template get<std::string>();
  }
  for (const auto& value : document["array"]) {
    if (value == text || value == 1) return value.dump();
  }
  if (const auto found = document.find("text"); found != document.end()) document.erase(found);
  if (document.contains("number") && document.at("number").template get<std::int64_t>() == 1) return document.dump(2);
  if (document == Json(text)) return document.value("text", text);
  return document.at("list").template get<std::vector<std::string>>().front();
}

inline std::string house_use(const std::string& text) {
  std::vector<std::string> all{house_use_json<nlohmann::json>(text), house_use_json<nlohmann::ordered_json>(text)};
  all.push_back(fmt::format("{} {} {}", text, std::string_view(text), 1));
  all.push_back(fmt::format("{} {}", std::uint64_t{1}, text.c_str()));
  return all.front() + all.back();
}
