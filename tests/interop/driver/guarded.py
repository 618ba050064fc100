"""RocketMQ's servers behind two guards: encrypted connections, each side with a certificate, and a broker with accounts."""

import json
import subprocess

SETTINGS = ("aclEnable=true",)
# Whom the checks of our client know, in tests/interop/rust/guarded.rs. There is an address from the start since a file that has none
# then is one whose later addresses 4.9.7 never forgets (PlainPermissionManager.load).
ACCOUNTS = """\
globalWhiteRemoteAddresses: [10.10.103.*]
accounts:
  - accessKey: administrator
    secretKey: "12345678"
    admin: true
  - accessKey: application
    secretKey: "87654321"
    admin: false
    defaultTopicPerm: PUB|SUB
    defaultGroupPerm: SUB
"""
# The keys of a file that mqadmin reads.
KEYS = 'accessKey: administrator\nsecretKey: "12345678"\n'
LIMIT_S = 60


class Guard:
    """The files of the guards: of the broker's accounts in `data`, of the certificates in `certificates`, of keys beside them."""

    def __init__(self, data, certificates):
        self._certificates = certificates
        (data / "conf").mkdir(parents=True)
        (data / "conf" / "plain_acl.yml").write_text(ACCOUNTS)
        (certificates / "tools.yml").write_text(KEYS)
        properties = {
            "tls.test.mode.enable": "false",
            "tls.server.need.client.auth": "require",
            "tls.server.authClient": "true",
            "tls.client.authServer": "true",
            **{f"tls.{side}.trustCertPath": certificates / "authority.pem" for side in ("server", "client")},
            **{f"tls.{side}.certPath": certificates / f"{side}.pem" for side in ("server", "client")},
            **{f"tls.{side}.keyPath": certificates / f"{side}.key" for side in ("server", "client")},
        }
        self._properties = certificates / "tls.properties"
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))

    def java_options(self):
        """Both servers take TLS only, and the broker talks so to the name server."""
        return ["-Dtls.server.mode=enforcing", "-Dtls.enable=true", f"-Dtls.config.file={self._properties}"]

    def shell(self, binary, env):
        """The same through `ferromq admin` and its options, as rows of results."""
        tls = ["--tls-trust", self._certificates / "authority.pem", "--tls-certificate", self._certificates / "client.pem",
               "--tls-key", self._certificates / "client.key"]
        keys = ["--credentials", self._certificates / "tools.yml"]
        target = ["-c", "DefaultCluster"]

        def admin(*arguments):
            return subprocess.run([binary, "admin", *map(str, arguments)], env=env, stdin=subprocess.DEVNULL, text=True,
                                  capture_output=True, timeout=LIMIT_S)

        unsigned = admin("getAclConfig", *target, *tls)
        yield ("shell_unsigned", unsigned.returncode == 1 and "--credentials" in unsigned.stderr, unsigned.stderr)
        plain = admin("getAclConfig", *target, *keys)
        yield ("shell_plain", plain.returncode == 1 and "--tls" in plain.stderr, plain.stderr)
        made = admin("updateAclConfig", *target, "-a", "from-shell", "-s", "a secret", "-t", "a=PUB,b=SUB", *keys, *tls)
        yield ("shell_update", made.returncode == 0, made.stderr)
        told = admin("getAclConfig", *target, "--json", *keys, *tls)
        yield ("shell_get", "from-shell" in self._accounts(told.stdout), told.stdout + told.stderr)
        deleted = admin("deleteAclConfig", *target, "-a", "from-shell", *keys, *tls)
        again = admin("deleteAclConfig", *target, "-a", "from-shell", *keys, *tls)
        yield ("shell_delete", (deleted.returncode, again.returncode) == (0, 1), deleted.stderr + again.stderr)

    @staticmethod
    def _accounts(text):
        brokers = json.loads(text or "{}").values()
        return [account["accessKey"] for broker in brokers for account in broker["accounts"]]
