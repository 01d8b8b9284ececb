#include "service/certificate.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <memory>

#include "base/address.hpp"

namespace turnpike::service {
namespace {

template <auto release>
struct Release {
  template <typename Object>
  void operator()(Object* object) const {
    release(object);
  }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, Release<X509_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Release<X509_EXTENSION_free>>;
using BioPtr = std::unique_ptr<BIO, Release<BIO_free_all>>;

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string alternative_names(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    if (!text.empty()) text += ',';
    text += (IpAddress::parse(name) ? "IP:" : "DNS:") + name;
  }
  return text;
}

bool add_extension(X509* certificate, int kind, const std::string& value) {
  X509V3_CTX context{};
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension{X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str())};
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool fill_in(X509* certificate, EVP_PKEY* key, const std::vector<std::string>& names,
             std::chrono::days lifetime, WallTime wall) {
  std::uint64_t serial = 0;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) != 1) return false;
  const std::time_t from = unix_seconds(wall - std::chrono::hours{1});
  const std::time_t to = unix_seconds(wall + lifetime);
  X509_NAME* subject = X509_get_subject_name(certificate);
  const auto* common_name = reinterpret_cast<const unsigned char*>(names.front().c_str());
  return X509_set_version(certificate, X509_VERSION_3) == 1 &&
         ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1) == 1 &&
         ASN1_TIME_set(X509_getm_notBefore(certificate), from) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), to) != nullptr &&
         X509_set_pubkey(certificate, key) == 1 &&
         X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, common_name, -1, -1, 0) == 1 &&
         X509_set_issuer_name(certificate, subject) == 1 &&
         add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE") &&
         add_extension(certificate, NID_subject_alt_name, alternative_names(names)) &&
         X509_sign(certificate, key, EVP_sha256()) != 0;
}

}  // namespace

std::expected<CertificatePair, std::string> make_certificate(const std::vector<std::string>& names,
                                                             std::chrono::days lifetime, WallTime wall) {
  if (names.empty() || names.front().empty() || names.front().size() > 64)
    return std::unexpected("a certificate needs a name of 1 to 64 bytes");
  const KeyPtr key{EVP_EC_gen("P-256")};
  const CertificatePtr certificate{X509_new()};
  if (!key || !certificate || !fill_in(certificate.get(), key.get(), names, lifetime, wall))
    return std::unexpected(fmt::format("OpenSSL makes no certificate for {}", alternative_names(names)));
  const BioPtr pem{BIO_new(BIO_s_mem())};
  const BioPtr key_pem{BIO_new(BIO_s_secmem())};
  if (PEM_write_bio_X509(pem.get(), certificate.get()) != 1 ||
      PEM_write_bio_PrivateKey(key_pem.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return std::unexpected("OpenSSL writes no certificate");
  return CertificatePair{text_of(pem.get()), Secret::from_text(text_of(key_pem.get()))};
}

}  // namespace turnpike::service
