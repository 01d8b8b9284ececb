#pragma once
// A world with everything on it that a registration needs: an edge that the model watches, a core with
// subscribers, two relays with the interface to them, who issues tokens, and WICs.
//
// Users of ims.example: alice, bob and erin log in by password, carol by a card, dave by a token; guest1 and
// guest2 are identities of the pool of "shop", lent by tokens.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/edge/core_host.hpp"
#include "sim/edge/edge_host.hpp"
#include "sim/edge/edge_model.hpp"
#include "sim/edge/wic_host.hpp"
#include "sim/stage.hpp"

namespace turnpike::sim {

struct EdgeStageSettings {
  std::uint64_t seed = 1;
  epcscf::Settings proxy{};
  ims::Settings core{};
  InterfaceSettings interface{};
  std::size_t relay_revocations_max = credentials::DenyList::entries_max;
  LinkSettings core_link{};  // before the core
  EdgeFault fault = EdgeFault::none;
};
// Pushed credentials, with computed ones standing in.
EdgeStageSettings make_edge_settings();

// What a WIC is, beside its user.
struct WicWish {
  std::string user = "alice";
  bool is_secure = true;
  std::chrono::seconds expires{600};
  client::CredentialsAsk credentials = client::CredentialsAsk::header;
  bool wants_token = false;               // of RFC 7635 too
  std::chrono::seconds token_life{3600};  // of users who log in by token
  client::BearerSpelling spelling = client::BearerSpelling::access_token;
};

class EdgeStage {
 public:
  explicit EdgeStage(EdgeStageSettings settings = make_edge_settings());

  WicHost& add_wic(const WicWish& wish = {});
  client::WicAgentSettings make_agent(const WicWish& wish);
  std::string issue_token(const std::string& user, std::chrono::seconds lifetime);
  void withdraw_tokens() { tokens_.clear(); }

  // Starts the WIC and waits until it is registered, or has been refused.
  bool enroll(WicHost& wic);
  // Whether a relay takes the newest credentials of the WIC.
  bool is_taken(const WicHost& wic, std::size_t relay = 0);
  // Lets the WIC allocate and waits for it.
  bool allocate(WicHost& wic);
  // Lets time pass, and has the model judge all the time.
  void pass(Duration time);
  bool wait(FunctionRef<bool()> is_done, Duration at_most);
  // Everybody leaves, every time passes, and the model is asked what is left.
  void expect_nothing_left();

  World world;
  Network network{world};
  std::vector<std::unique_ptr<RelayHost>> relays;
  RelayInterface interface;
  CoreHost core;
  EdgeHost edge;
  EdgeModel model;
  std::vector<std::unique_ptr<WicHost>> wics;

 private:
  std::vector<std::unique_ptr<RelayHost>> make_relays(std::size_t revocations_max);
  [[nodiscard]] std::vector<RelayHost*> relay_pointers() const;
  void add_subscribers();

  std::map<std::string, epcscf::TokenIdentity> tokens_;
  std::uint32_t tokens_issued_ = 0;
};

}  // namespace turnpike::sim
