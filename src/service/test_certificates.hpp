#pragma once
// For tests: an authority of its own for each run, and what it certifies, as PEM files in a folder that goes
// away.

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "base/check.hpp"

namespace turnpike::service {

class TestCertificates {
 public:
  TestCertificates() {
    std::string pattern = (std::filesystem::temp_directory_path() / "turnpike-certificates-XXXXXX").string();
    check(mkdtemp(pattern.data()) != nullptr, "a temporary folder");
    folder_ = pattern;
    authority_ = sign("authority", nullptr, "critical,CA:TRUE");
  }
  TestCertificates(const TestCertificates&) = delete;
  TestCertificates& operator=(const TestCertificates&) = delete;
  ~TestCertificates() { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string authority() const { return file("authority.pem"); }
  [[nodiscard]] std::string certificate(const std::string& name) const { return file(name + ".pem"); }
  [[nodiscard]] std::string key(const std::string& name) const { return file(name + ".key"); }
  // `names` as OpenSSL spells them: "DNS:localhost,IP:127.0.0.1".
  void issue(const std::string& name, const char* names) { sign(name, names, "critical,CA:FALSE"); }

 private:
  struct Free {
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  };
  struct Issued {
    std::unique_ptr<X509, Free> certificate{};
    std::unique_ptr<EVP_PKEY, Free> key{};
  };

  static void add_extension(X509* to, X509* issuer, int kind, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value);
    check(extension != nullptr, "an extension that OpenSSL can read");
    X509_add_ext(to, extension, -1);
    X509_EXTENSION_free(extension);
  }

  Issued sign(const std::string& name, const char* names, const char* constraints) {
    Issued issued;
    issued.key.reset(EVP_EC_gen("P-256"));
    issued.certificate.reset(X509_new());
    X509* certificate = issued.certificate.get();
    X509* issuer = authority_.certificate ? authority_.certificate.get() : certificate;
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial_);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, issued.key.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
    add_extension(certificate, issuer, NID_basic_constraints, constraints);
    if (names != nullptr) add_extension(certificate, issuer, NID_subject_alt_name, names);
    EVP_PKEY* signer = authority_.key ? authority_.key.get() : issued.key.get();
    check(X509_sign(certificate, signer, EVP_sha256()) != 0, "a certificate is signed");
    write(name, issued);
    return issued;
  }

  void write(const std::string& name, const Issued& issued) const {
    std::unique_ptr<FILE, int (*)(FILE*)> certificate_file{fopen(certificate(name).c_str(), "w"), fclose};
    std::unique_ptr<FILE, int (*)(FILE*)> key_file{fopen(key(name).c_str(), "w"), fclose};
    check(certificate_file && key_file, "the temporary folder can be written to");
    PEM_write_X509(certificate_file.get(), issued.certificate.get());
    PEM_write_PrivateKey(key_file.get(), issued.key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  }
  [[nodiscard]] std::string file(const std::string& name) const { return (folder_ / name).string(); }

  std::filesystem::path folder_{};
  long serial_ = 0;
  Issued authority_{};
};

}  // namespace turnpike::service
