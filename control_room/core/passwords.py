"""What a password must be; and the SCRAM verifiers by which a database knows one without ever seeing it.

Rules after NIST SP 800-63B, section 5.1.1.2: length instead of composition, no common password, none of one's own past.
Verifiers as PostgreSQL keeps them: RFC 5802 and RFC 7677, SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey.
"""

import base64
import hashlib
import hmac
from collections.abc import Collection, Iterable

LENGTH = 12
LONGEST = 200
# so many of a person's own passwords may not come again
HISTORY = 5


def faults(password: str, login: str, common: Collection[str], history: Iterable[str] = ()) -> list[str]:
    """Return what is wrong with a new password, in sentences; `history` holds SCRAM verifiers of earlier ones."""
    found = []
    if not LENGTH <= len(password) <= LONGEST:
        found.append(f"It must have {LENGTH} to {LONGEST} characters.")
    if password.lower() in common or len(set(password)) < LENGTH // 3:
        found.append("It is one of the passwords that are tried first.")
    if login and login.lower() in password.lower():
        found.append("It must not contain the user name.")
    if any(is_of(password, verifier) for verifier in history):
        found.append("It was used before.")
    return found


def is_of(password: str, verifier: str) -> bool:
    """Return whether a SCRAM-SHA-256 verifier was made of the password."""
    try:
        scheme, salted, keys = verifier.split("$")
        iterations, salt = salted.split(":")
        stored = base64.b64decode(keys.split(":")[0])
    except ValueError:
        return False
    if scheme != "SCRAM-SHA-256":
        return False
    secret = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(iterations))
    key = hmac.digest(secret, b"Client Key", "sha256")
    return hmac.compare_digest(hashlib.sha256(key).digest(), stored)
