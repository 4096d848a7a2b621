#pragma once

namespace parley::test {

/// A TLS server for tests: self-signed, for the names turn.example, 198.51.100.1 and 127.0.0.1,
/// valid from 2020 to 2120. The key is public: worthless elsewhere.
constexpr char kServerCertificate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBlTCCATugAwIBAgIBATAKBggqhkjOPQQDAjAXMRUwEwYDVQQDDAx0dXJuLmV4\n"
    "YW1wbGUwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBcxFTATBgNV\n"
    "BAMMDHR1cm4uZXhhbXBsZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKWTYnyC\n"
    "LZVHJmxw4S7972Ju2UlBNtSCUIwRzsVRIRFp5VWjvIs1lSz8eVlsto/FJn6HlBTM\n"
    "PuX8TtxnZaH8joCjdjB0MCMGA1UdEQQcMBqCDHR1cm4uZXhhbXBsZYcExjNkAYcE\n"
    "fwAAATAMBgNVHRMBAf8EAjAAMAsGA1UdDwQEAwIHgDATBgNVHSUEDDAKBggrBgEF\n"
    "BQcDATAdBgNVHQ4EFgQUgj3MGwL9OERRlOJIoMWz3Tk69dcwCgYIKoZIzj0EAwID\n"
    "SAAwRQIgcZ9vxJLZkOGBoBPT8IMqOyMnR1Lm4Nvi5qRXayynFBECIQDhrjgqSR6o\n"
    "Iv/0uM2rL3S2sO2z7HGWHJJq8VXwpJgeOQ==\n"
    "-----END CERTIFICATE-----\n";
constexpr char kServerKey[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgnoA8BWdjOyUFlABj\n"
    "bQ3JcNXhvAMc4u0AWOLkWGTjPyahRANCAASlk2J8gi2VRyZscOEu/e9ibtlJQTbU\n"
    "glCMEc7FUSERaeVVo7yLNZUs/HlZbLaPxSZ+h5QUzD7l/E7cZ2Wh/I6A\n"
    "-----END PRIVATE KEY-----\n";

}  // namespace parley::test
