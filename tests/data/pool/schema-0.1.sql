-- The tables as release 0.1 made them: what every migration starts from.
CREATE TABLE authorization_codes (
	digest BLOB NOT NULL,
	origin_jti VARCHAR(36) NOT NULL,
	client_id VARCHAR(128) NOT NULL,
	redirect_uri TEXT NOT NULL,
	code_challenge TEXT,
	expires_at BIGINT NOT NULL,
	spent_at BIGINT,
	PRIMARY KEY (digest)
);
CREATE TABLE challenges (
	digest BLOB NOT NULL,
	sub VARCHAR(36) NOT NULL,
	client_id VARCHAR(128) NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (digest)
);
CREATE TABLE counters (
	"key" VARCHAR(160) NOT NULL,
	count INTEGER NOT NULL,
	since BIGINT NOT NULL,
	until BIGINT NOT NULL,
	PRIMARY KEY ("key")
);
CREATE TABLE grants (
	origin_jti VARCHAR(36) NOT NULL,
	client_id VARCHAR(128) NOT NULL,
	sub VARCHAR(36) NOT NULL,
	scopes JSON NOT NULL,
	auth_time BIGINT NOT NULL,
	nonce TEXT,
	resource TEXT,
	expires_at BIGINT NOT NULL,
	revoked_at BIGINT,
	PRIMARY KEY (origin_jti)
);
CREATE TABLE identifiers (
	kind VARCHAR(32) NOT NULL,
	value VARCHAR(2048) NOT NULL,
	sub VARCHAR(36) NOT NULL,
	PRIMARY KEY (kind, value),
	FOREIGN KEY(sub) REFERENCES users (sub) ON DELETE CASCADE
);
CREATE TABLE keys (
	name VARCHAR(64) NOT NULL,
	value BLOB NOT NULL,
	PRIMARY KEY (name)
);
CREATE TABLE memberships (
	sub VARCHAR(36) NOT NULL,
	group_name VARCHAR(128) NOT NULL,
	PRIMARY KEY (sub, group_name),
	FOREIGN KEY(sub) REFERENCES users (sub) ON DELETE CASCADE
);
CREATE TABLE one_time_codes (
	purpose VARCHAR(32) NOT NULL,
	subject VARCHAR(160) NOT NULL,
	digest BLOB NOT NULL,
	tries_left INTEGER NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (purpose, subject)
);
CREATE TABLE refresh_tokens (
	digest BLOB NOT NULL,
	origin_jti VARCHAR(36) NOT NULL,
	expires_at BIGINT NOT NULL,
	rotated_at BIGINT,
	PRIMARY KEY (digest)
);
CREATE TABLE sso_sessions (
	digest BLOB NOT NULL,
	sub VARCHAR(36) NOT NULL,
	auth_time BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (digest)
);
CREATE TABLE users (
	sub VARCHAR(36) NOT NULL,
	username VARCHAR(128) NOT NULL,
	status VARCHAR(32) NOT NULL,
	enabled BOOLEAN NOT NULL,
	attributes JSON NOT NULL,
	password_hash TEXT,
	password_set_at BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (sub)
);
CREATE INDEX ix_grants_sub ON grants (sub);
CREATE INDEX ix_sso_sessions_sub ON sso_sessions (sub);
CREATE INDEX ix_memberships_group_name ON memberships (group_name);
CREATE INDEX ix_identifiers_sub ON identifiers (sub);
