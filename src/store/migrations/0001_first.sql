-- One text for SQLite and PostgreSQL: text ids (UUIDv7), bigint for milliseconds since 1970 in UTC,
-- JSON as text. A null setting of a mailbox means: as its tenant has it.

create table tenant (
    id         text    primary key,
    name       text    not null unique,
    sip_domain text    unique,                 -- lower case; calls to it reach this tenant
    time_zone  text    not null,
    language   text    not null,
    spoken     text,                           -- null: detected per message
    transcribe boolean not null,
    created    bigint  not null
);

create table person (
    id      text   primary key,
    tenant  text   not null references tenant (id),
    name    text   not null,
    email   text   not null,
    created bigint not null,
    unique (tenant, email)
);

create table mailbox (
    id         text   primary key,
    tenant     text   not null references tenant (id),
    number     text   not null,
    name       text   not null,
    owner      text   references person (id) on delete set null,
    time_zone  text,
    language   text,
    spoken     text,                           -- 'auto': detected, whatever the tenant says
    transcribe boolean,
    recipients text   not null,                -- JSON array; empty: the owner's address
    version    bigint not null default 0,      -- goes up with every change of what lies in it
    created    bigint not null,
    unique (tenant, number)
);

create index mailbox_owner on mailbox (owner);

-- A mailbox with the settings that apply to it.
create view mailbox_in_effect as
select mailbox.id, mailbox.tenant, mailbox.number, mailbox.name,
       coalesce(mailbox.time_zone, tenant.time_zone)            as time_zone,
       coalesce(mailbox.language, tenant.language)              as language,
       nullif(coalesce(mailbox.spoken, tenant.spoken), 'auto')  as spoken,
       coalesce(mailbox.transcribe, tenant.transcribe)          as transcribe,
       mailbox.recipients,
       person.email                                             as owner_email
  from mailbox
  join tenant on tenant.id = mailbox.tenant
  left join person on person.id = mailbox.owner;

create table greeting (
    mailbox   text   not null references mailbox (id) on delete cascade,
    kind      text   not null check (kind in ('unavailable')),
    blob      text   not null,
    length_ms bigint not null,
    created   bigint not null,
    primary key (mailbox, kind)
);

create table message (
    id                  text    primary key,
    mailbox             text    not null references mailbox (id),
    folder              text    not null check (folder in ('new', 'saved', 'deleted')),
    caller_name         text,
    caller_number       text,
    received            bigint  not null,
    length_ms           bigint  not null,
    interrupted         boolean not null,
    blob                text    not null,
    transcription       text    not null
                        check (transcription in ('off', 'waiting', 'done', 'failed')),
    transcription_error text,
    created             bigint  not null
);

create index message_in_mailbox on message (mailbox, folder, received, id);
create index message_blob on message (blob);

create table transcript (
    message  text   primary key references message (id) on delete cascade,
    language text   not null,
    segments text   not null,                  -- JSON array of start_ms, end_ms, text, confidence
    engine   text   not null,
    created  bigint not null
);

create table delivery (
    message   text   not null references message (id) on delete cascade,
    recipient text   not null,
    state     text   not null check (state in ('queued', 'accepted', 'deferred', 'failed')),
    attempts  bigint not null default 0,
    reply     text,                            -- what the mail server said last
    next_try  bigint,
    primary key (message, recipient)
);

create table job (
    id           text   primary key,
    kind         text   not null,
    subject      text   not null,              -- the id of what the work is about
    state        text   not null default 'queued' check (state in ('queued', 'buried')),
    due          bigint not null,
    leased_until bigint not null default 0,
    attempts     bigint not null default 0,    -- also the fence: only the latest claim is believed
    error        text,
    unique (kind, subject)
);

create index job_due on job (kind, state, due, id);

-- Ids of purged messages: a take found again in the spool must not bring one back.
create table tombstone (
    message text   primary key,
    purged  bigint not null
);
