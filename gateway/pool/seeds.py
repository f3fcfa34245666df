"""Create the users that the settings name, confirmed and verified, unless somebody of that name is there."""

import uuid

from gateway.errors import SettingsError
from gateway.pool.attributes import confirmed_identifiers, first_identifiers, login_attribute, lookups
from gateway.pool.options import PoolOptions, SeedUser
from gateway.pool.passwords import Passwords
from gateway.pool.records import User, UserStatus
from gateway.pool.storage import PoolStorage
from gateway.pool.stored import Taken


async def plant(seed: SeedUser, options: PoolOptions, storage: PoolStorage, passwords: Passwords, now: int) -> None:
    """Create one. Raises SettingsError when it shares an address or a name with another user."""
    if await _is_there(seed, options, storage):
        return
    sub, login = str(uuid.uuid4()), login_attribute(options, seed.username)
    attributes = {**seed.attributes, **({login: seed.username} if login else {})}
    verified = {f"{name}_verified": "true" for name in ("email", "phone_number") if name in attributes}
    user = User(
        sub=sub, username=sub if login else seed.username, attributes={**verified, **attributes}, groups=seed.groups,
        status=UserStatus.FORCE_CHANGE_PASSWORD if seed.temporary_password else UserStatus.CONFIRMED,
        password_hash=await passwords.hash(seed.password.reveal()), password_set_at=now, created_at=now, updated_at=now,
    )  # fmt: skip
    try:
        async with storage.transaction() as tx:
            await tx.users.add(user, first_identifiers(options, user, login) + confirmed_identifiers(options, user))
    except Taken as taken:
        if await _is_there(seed, options, storage):
            return  # another process of this pool was faster
        kind = taken.identifier.kind.replace("_", " ")
        raise SettingsError(f"users: {seed.username} has the {kind} of another user") from taken


async def _is_there(seed: SeedUser, options: PoolOptions, storage: PoolStorage) -> bool:
    async with storage.snapshot() as tx:
        return await tx.users.find(lookups(options, seed.username)) is not None
