//! Views for people who query with SQL: what is stored of accounts, users, invites and events, in
//! columns with types, as the API shows it. docs/sql.md documents each column, and
//! `tests/postgres/views.rs` holds each against what the API answers.
//!
//! A view reads the versions of a record that this release reads. Of a newer one it shows no more than
//! `record_version`: a release that raises `Record::VERSION` replaces the view, in a step of its own,
//! before it writes such a record. What replaces a view has all of its columns and may have more
//! behind them, so that the rights that were granted on it stay.
//!
//! Texts of SQL cannot hold U+0000: U+FFFD stands in its place. So that a backslash before `u0000` is
//! not taken for the escape, each pair of backslashes stands aside as U+0001 meanwhile, which JSON
//! does not hold. `^0{0,3}[1-9]` are the years from 1 on: what is before is null. `OFFSET 0` keeps the
//! planner from reading the JSON once for each column.

/// Accounts, the deleted ones among them.
pub(super) const ACCOUNTS: &str = r#"CREATE OR REPLACE VIEW accounts AS
SELECT record->>'AwsAccountId' AS aws_account_id,
    record->>'AccountId' AS account_id,
    record->>'Name' AS name,
    record->>'AccountType' AS account_type,
    record->>'AccountStatus' AS account_status,
    substring(record->>'CreatedTimestamp' from '^0{0,3}[1-9].*')::timestamptz AS created_timestamp,
    substring(record->>'DeletedTimestamp' from '^0{0,3}[1-9].*')::timestamptz AS deleted_timestamp,
    substring(record->>'DeletedTimestamp' from '^0{0,3}[1-9].*')::timestamptz
        + interval '2160 hours' AS restorable_until_timestamp,
    record->>'DefaultLicense' AS default_license,
    record->'SupportedLicenses' AS supported_licenses,
    (record->>'UseProTrialLicense')::boolean AS use_pro_trial_license,
    record->>'BillingType' AS billing_type,
    record->>'DelegationStatus' AS delegation_status,
    record->>'DirectoryId' AS directory_id,
    record->'Groups' AS groups,
    record->'SigninDelegateGroups' AS signin_delegate_groups,
    record->'Admins' AS admins,
    record->'Domains' AS domains,
    record->'Owner' AS owner,
    (record->'Settings'->>'DisableRemoteControl')::boolean AS disable_remote_control,
    (record->'Settings'->>'EnableDialOut')::boolean AS enable_dial_out,
    (record->'Retention'->>'ConversationDays')::int4 AS conversation_retention_days,
    (record->'Retention'->>'RoomDays')::int4 AS room_retention_days,
    substring(record->'Retention'->>'InitiateDeletionTimestamp' from '^0{0,3}[1-9].*')::timestamptz
        AS initiate_deletion_timestamp,
    record_version
FROM (SELECT (document->>'version')::int4 AS record_version,
        CASE WHEN (document->>'version')::int4 <= 2 THEN
            '{"Settings": {"DisableRemoteControl": false, "EnableDialOut": false}}'::jsonb
            || (document->'record') END AS record
    FROM (SELECT replace(replace(replace(convert_from(value, 'UTF8'),
            '\\', chr(1)), '\u0000', '\ufffd'), chr(1), '\\')::jsonb AS document
        FROM entries WHERE key >= '\x04'::bytea AND key < '\x05'::bytea OFFSET 0) AS documents
    OFFSET 0) AS records"#;

/// Users. An account's generation tells whether all of its users were suspended at once.
pub(super) const USERS: &str = r#"CREATE OR REPLACE VIEW users AS
SELECT record->>'AwsAccountId' AS aws_account_id,
    record->>'AccountId' AS account_id,
    record->>'UserId' AS user_id,
    record->>'PrimaryEmail' AS primary_email,
    record->>'DisplayName' AS display_name,
    record->>'FullName' AS full_name,
    record->>'UserType' AS user_type,
    record->>'LicenseType' AS license_type,
    (record->>'IsProTrial')::boolean AS is_pro_trial,
    CASE WHEN (record->>'Generation')::numeric < generation THEN 'Suspended'
        ELSE record->>'RegistrationStatus' END AS user_registration_status,
    substring(record->>'RegisteredOn' from '^0{0,3}[1-9].*')::timestamptz AS registered_on,
    record->>'UserInvitationStatus' AS user_invitation_status,
    substring(record->>'InvitedOn' from '^0{0,3}[1-9].*')::timestamptz AS invited_on,
    record->'AlexaForBusinessMetadata'->>'AlexaForBusinessRoomArn' AS alexa_for_business_room_arn,
    (record->'AlexaForBusinessMetadata'->>'IsAlexaForBusinessEnabled')::boolean
        AS is_alexa_for_business_enabled,
    record->>'PrimaryProvisionedNumber' AS primary_provisioned_number,
    (record->'Telephony'->>'InboundCalling')::boolean AS inbound_calling,
    (record->'Telephony'->>'OutboundCalling')::boolean AS outbound_calling,
    (record->'Telephony'->>'SMS')::boolean AS sms,
    record->'PresenceVisibility' AS presence_visibility,
    record->'EmailAlias' AS email_alias,
    record->'Delegates' AS delegates,
    record->'Devices' AS devices,
    record->'LastActiveOn' AS last_active_on,
    record->'UserLocale' AS user_locale,
    record->'Vanity' AS vanity,
    account_deleted_timestamp,
    record_version
FROM (SELECT (document->>'version')::int4 AS record_version,
        CASE WHEN (document->>'version')::int4 <= 1 THEN
            '{"EmailAlias": [], "Generation": 0, "Telephony":
                {"InboundCalling": false, "OutboundCalling": false, "SMS": false}}'::jsonb
            || (document->'record') END AS record
    FROM (SELECT replace(replace(replace(convert_from(value, 'UTF8'),
            '\\', chr(1)), '\u0000', '\ufffd'), chr(1), '\\')::jsonb AS document
        FROM entries WHERE key >= '\x06'::bytea AND key < '\x07'::bytea OFFSET 0) AS documents
    OFFSET 0) AS records
LEFT JOIN (SELECT account->>'AwsAccountId' AS of_aws_account_id,
        account->>'AccountId' AS of_account_id,
        coalesce((account->>'UserGeneration')::numeric, 0) AS generation,
        substring(account->>'DeletedTimestamp' from '^0{0,3}[1-9].*')::timestamptz
            AS account_deleted_timestamp
    FROM (SELECT CASE WHEN (document->>'version')::int4 <= 2 THEN document->'record' END AS account
        FROM (SELECT replace(replace(replace(convert_from(value, 'UTF8'),
                '\\', chr(1)), '\u0000', '\ufffd'), chr(1), '\\')::jsonb AS document
            FROM entries WHERE key >= '\x04'::bytea AND key < '\x05'::bytea OFFSET 0) AS documents
        OFFSET 0) AS records) AS accounts
    ON of_aws_account_id = record->>'AwsAccountId' AND of_account_id = record->>'AccountId'"#;

/// Invites, each of which ends with its user.
pub(super) const INVITES: &str = r"CREATE OR REPLACE VIEW invites AS
SELECT record->>'AwsAccountId' AS aws_account_id,
    record->>'AccountId' AS account_id,
    record->>'UserId' AS user_id,
    record->>'InviteId' AS invite_id,
    users.primary_email AS email_address,
    CASE WHEN record IS NULL THEN NULL
        WHEN users.user_registration_status = 'Registered' THEN 'Accepted'
        ELSE coalesce(users.user_invitation_status, 'Pending') END AS status,
    record->>'EmailStatus' AS email_status,
    users.invited_on AS invited_on,
    substring(record->>'ExpiresTimestamp' from '^0{0,3}[1-9].*')::timestamptz AS expires_timestamp,
    users.account_deleted_timestamp AS account_deleted_timestamp,
    records.record_version AS record_version
FROM (SELECT (document->>'version')::int4 AS record_version,
        CASE WHEN (document->>'version')::int4 <= 1 THEN document->'record' END AS record
    FROM (SELECT replace(replace(replace(convert_from(value, 'UTF8'),
            '\\', chr(1)), '\u0000', '\ufffd'), chr(1), '\\')::jsonb AS document
        FROM entries WHERE key >= '\x0c'::bytea AND key < '\x0d'::bytea OFFSET 0) AS documents
    OFFSET 0) AS records
LEFT JOIN users ON users.aws_account_id = record->>'AwsAccountId'
    AND users.account_id = record->>'AccountId' AND users.user_id = record->>'UserId'";

/// Events of the audit, which are stored under short names.
pub(super) const AUDIT_EVENTS: &str = r#"CREATE OR REPLACE VIEW audit_events AS
SELECT record->>'a' AS aws_account_id,
    timestamptz '1970-01-01 00:00:00Z' + (record->>'t')::int8 * interval '1 millisecond'
        AS event_time,
    record->>'e' AS event_id,
    CASE split_part(record->>'n', ':', 1) WHEN 'campanile' THEN 'campanile'
        ELSE split_part(record->>'n', ':', 1) || '.amazonaws.com' END AS event_source,
    split_part(record->>'n', ':', 2) AS event_name,
    (record->>'ro')::boolean AS read_only,
    CASE identity->>'t' WHEN 'Root' THEN 'root' WHEN 'Unknown' THEN identity->>'p'
        ELSE regexp_replace(identity->>'r', '^.*/', '') END AS username,
    identity->>'t' AS identity_type,
    coalesce(identity->>'p', record->>'a') AS principal_id,
    nullif(coalesce(identity->>'r', 'arn:aws:iam::' || (record->>'a') || ':root'), '') AS arn,
    nullif(identity->>'k', '') AS access_key_id,
    (record->>'i')::inet AS source_ip_address,
    record->>'u' AS user_agent,
    record->>'r' AS aws_region,
    record->>'x' AS error_code,
    record->>'m' AS error_message,
    record->'p' AS request_parameters,
    record->'o' AS response_elements,
    record->'d' AS additional_event_data,
    record->>'q' AS request_id,
    record_version
FROM (SELECT record_version, '{"ro": false}'::jsonb || record AS record,
        '{"t": "Root"}'::jsonb || (record->'c') AS identity
    FROM (SELECT (document->>'version')::int4 AS record_version,
            CASE WHEN (document->>'version')::int4 <= 1 THEN document->'record' END AS record
        FROM (SELECT replace(replace(replace(convert_from(value, 'UTF8'),
                '\\', chr(1)), '\u0000', '\ufffd'), chr(1), '\\')::jsonb AS document
            FROM entries WHERE key >= '\x15'::bytea AND key < '\x16'::bytea OFFSET 0) AS documents
        OFFSET 0) AS versions
    OFFSET 0) AS records"#;
