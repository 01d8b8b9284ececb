#pragma once
// What the eP-CSCF and the home core report, as log lines and counters. Users appear as opaque subjects, or,
// at the home core, by their private identity; messages, passwords and tokens stay out.

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "program/line_budget.hpp"
#include "service/epcscf_node.hpp"
#include "service/home_core_node.hpp"

namespace turnpike::program {

class EpcscfReports final : public service::EpcscfObserver {
 public:
  EpcscfReports(Log& log, metrics::Registry& metrics);
  void on_report(const epcscf::Report& report, Now now) override;
  void on_client_refused(const SocketAddress& remote, service::DoorRefusal refusal, Now now) override;
  void on_core_failed(const sip::Hop& to, Now now) override;
  void on_revoked(bool is_done, Now now) override;

 private:
  void tell(const epcscf::Registered& registered);
  void tell(const epcscf::Provisioned& provisioned, Now now);
  void tell(const epcscf::NotProvisioned& failed, Now now);
  void tell(const epcscf::RegistrationRefused& refused, Now now);
  void tell(const epcscf::MessageRefused& refused, Now now);

  Log& log_;
  metrics::Counter revocations_unconfirmed_;
  LineBudget of_clients_;  // lines that a stranger can cause
  LineBudget of_core_;
  LineBudget of_provisioning_;  // one relay that is down is felt by all who register
};

class HomeCoreReports final : public service::HomeCoreObserver {
 public:
  explicit HomeCoreReports(Log& log);
  void on_registration(const ims::RegistrationReport& report, Now now) override;
  void on_refusal(const ims::RefusalReport& report, Now now) override;

 private:
  Log& log_;
  LineBudget refusals_;
};

// Their counters; the nodes outlive the registry's last serialise().
void add_epcscf_metrics(metrics::Registry& metrics, service::EpcscfNode& node);
void add_home_core_metrics(metrics::Registry& metrics, service::HomeCoreNode& node);

}  // namespace turnpike::program
