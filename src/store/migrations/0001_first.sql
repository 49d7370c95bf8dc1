-- One text for SQLite and PostgreSQL: text ids (UUIDv7), bigint for milliseconds since 1970 in UTC,
-- JSON as text.

create table tenant (
    id         text   primary key,
    name       text   not null unique,
    sip_domain text   unique,                  -- lower case; calls to it reach this tenant
    settings   text   not null,                -- JSON: what its mailboxes start from
    created    bigint not null
);

create table person (
    id      text   primary key,
    tenant  text   not null references tenant (id),
    name    text   not null,
    email   text   not null,
    created bigint not null,
    unique (tenant, email)
);

-- Who may look after a tenant in the browser.
create table login (
    person  text   primary key references person (id) on delete cascade,
    hash    text   not null,                   -- of the password: Argon2id, a PHC string
    changed bigint not null
);

-- Browsers that are logged in. What proves it is not kept.
create table session (
    sha256  text   primary key,
    person  text   not null references login (person) on delete cascade,
    created bigint not null,
    used    bigint not null                    -- the last time, give or take a minute
);

create index session_of on session (person, used);

create table mailbox (
    id       text   primary key,
    tenant   text   not null references tenant (id),
    number   text   not null,
    name     text   not null,
    owner    text   references person (id) on delete set null,
    settings text   not null,                  -- JSON; what is missing is as the tenant has it
    version  bigint not null default 0,        -- goes up with every change of what lies in it
    created  bigint not null,
    unique (tenant, number)
);

create index mailbox_owner on mailbox (owner);

-- A mailbox with both levels of its settings and its owner's address.
create view mailbox_in_effect as
select mailbox.id, mailbox.tenant, mailbox.number, mailbox.name,
       mailbox.settings as own_settings,
       tenant.settings  as tenant_settings,
       person.email     as owner_email
  from mailbox
  join tenant on tenant.id = mailbox.tenant
  left join person on person.id = mailbox.owner;

-- What owners call to hear their messages.
create table dial_in (
    tenant text not null references tenant (id) on delete cascade,
    number text not null,
    primary key (tenant, number)
);

-- Hold music of one kind.
create table music_class (
    id      text   primary key,
    tenant  text   not null references tenant (id),
    name    text   not null,                   -- in addresses; lower case
    manner  text   not null,                   -- JSON: how it is played
    version bigint not null default 0,         -- goes up with every change of it or its tracks
    created bigint not null,
    unique (tenant, name)
);

create table music_track (
    id           text   primary key,
    class        text   not null references music_class (id),
    place        bigint not null,
    name         text   not null,
    description  text   not null,
    licence      text   not null,
    kind         text,                         -- the end of its file's name, where only that tells
    original     text   not null,              -- the blob that was sent
    blob         text,                         -- what is played, once it is made
    length_ms    bigint,
    loudness     bigint,                       -- of the original, in hundredths of a LUFS
    peaks        text,                         -- what its picture is drawn from, two digits a peak
    problem      text,                         -- why it will never be played
    attempts     bigint not null default 0,
    leased_until bigint not null default 0,    -- somebody makes it until then
    created      bigint not null
);

create index music_track_in_class on music_track (class, place, id);
create index music_track_waiting on music_track (leased_until) where blob is null and problem is null;

-- A file that arrives in pieces, and the track it is to be. What has come of it lies in a folder.
create table upload (
    id          text   primary key,            -- the track's, too
    class       text   not null references music_class (id) on delete cascade,
    name        text   not null,
    description text   not null,
    licence     text   not null,
    kind        text,
    original    text   not null,               -- the blob that it will be
    length      bigint,                        -- of all of it in bytes, where that was said
    arrived     bigint not null default 0,     -- bytes that are on disk
    created     bigint not null
);

create index upload_in_class on upload (class);

-- What is said to many: at an address of its own, and before and in hold music.
create table announcement (
    id        text   primary key,
    tenant    text   not null references tenant (id),
    name      text   not null,                 -- in addresses; lower case
    script    text,                            -- what it says, where a voice says it
    blob      text   not null,
    length_ms bigint not null,
    created   bigint not null,
    unique (tenant, name)
);

-- Who is told how many messages lie in a mailbox: those who subscribed (RFC 6665), and those whom an
-- operator named. It is written down before it is said.
create table lamp (
    id                text   primary key,
    mailbox           text   references mailbox (id) on delete set null, -- null: gone, to be told so
    kind              text   not null check (kind in ('subscription', 'target')),
    name              text   not null,         -- of a subscription its dialog's, else the address
    place             text   not null,         -- the address, for people
    dialog            text,                    -- JSON: what a NOTIFY needs; of a subscription only
    node              text,                    -- our address it came to
    expires           bigint,                  -- null: never
    sequence          bigint not null default 0,  -- CSeq of the last NOTIFY; also the fence
    version           bigint not null default -1, -- the mailbox's when told; -1: to be told anew
    told              bigint not null default 0,  -- when; 0: never
    told_new          bigint not null default 0,
    told_saved        bigint not null default 0,
    told_new_urgent   bigint not null default 0,
    told_saved_urgent bigint not null default 0,
    due               bigint not null,         -- not told before
    under_way         boolean not null default false, -- said, and not answered yet
    failures          bigint not null default 0,
    problem           text,                    -- why it was not told the last time
    created           bigint not null,
    unique (name, mailbox)
);

-- All that is looked at to know who is to be told.
create index lamp_state on lamp (mailbox, version, due, under_way, expires, told, id);

create table pin (
    mailbox text   primary key references mailbox (id) on delete cascade,
    hash    text   not null,                   -- Argon2id, a PHC string
    given   boolean not null,                  -- not its owner's choice: the first call replaces it
    changed bigint not null
);

-- Wrong PINs: for a mailbox, and from a caller. Wrong passwords: for an address, and from a machine.
create table guess (
    subject      text   primary key,
    wrong        bigint not null,
    since        bigint not null,
    locks        bigint not null,
    locked_until bigint not null,
    source       text,                         -- who made the try that locked a mailbox
    told         bigint not null default 0     -- the lock its owner was told of, by its end
);

-- What callers may hear before the tone. Several may be kept for the same occasion, by their labels;
-- callers hear the one that is chosen.
create table greeting (
    id        text    primary key,
    mailbox   text    not null references mailbox (id) on delete cascade,
    kind      text    not null check (kind in ('unavailable', 'busy', 'temporary', 'absence', 'closed')),
    label     text    not null,                -- empty for the one that has none
    chosen    boolean not null,
    blob      text    not null,
    length_ms bigint  not null,
    until     bigint,                          -- a temporary one ends here
    created   bigint  not null,
    unique (mailbox, kind, label)
);

create unique index greeting_chosen on greeting (mailbox, kind) where chosen;
create index greeting_blob on greeting (blob);

-- What the owner of a mailbox is called, in their own voice.
create table spoken_name (
    mailbox   text   primary key references mailbox (id) on delete cascade,
    blob      text   not null,
    length_ms bigint not null,
    created   bigint not null
);

-- Numbers that an owner had called back by phone, on one day.
create table call_back (
    mailbox text   primary key references mailbox (id) on delete cascade,
    day     bigint not null,                   -- since 1970, by the mailbox's own calendar
    calls   bigint not null
);

create table message (
    id                  text    primary key,
    mailbox             text    not null references mailbox (id),
    folder              text    not null check (folder in ('new', 'saved', 'deleted')),
    shelf               text                   -- where a saved one lies in a folder of its owner's
                        check (shelf in ('work', 'family', 'friends', 'fifth', 'sixth')),
    caller_name         text,
    caller_number       text,
    reason              text,                  -- why the call came here, as far as it told
    received            bigint  not null,
    length_ms           bigint  not null,
    interrupted         boolean not null,
    urgent              boolean not null default false,
    pinned              boolean not null default false,
    held                boolean not null default false,
    private             boolean not null default false,
    blob                text    not null,          -- copies have the same
    transcription       text    not null
                        check (transcription in ('off', 'waiting', 'done', 'failed')),
    transcription_error text,
    translation         text    not null default 'off'
                        check (translation in ('off', 'waiting', 'done', 'failed')),
    translation_error   text,
    made_room           text,                  -- JSON: how full the mailbox was, and what gave way
    moved               bigint,                -- when it came into its folder; null since it was filed
    deleted             bigint,                -- when it went into the trash
    deleted_by          text,                  -- the rule or person that put it there
    copied_from         text,                  -- the message it is a copy of, there still or not
    forwarded_by        text    references mailbox (id) on delete set null,
    created             bigint  not null
);

-- How many lie in a mailbox and which give way first; and its pages, of one folder or all.
create index message_in_mailbox
    on message (mailbox, folder, pinned, held, urgent, received, id);
create index message_in_time on message (mailbox, received, id, folder, shelf);
create index message_blob on message (blob);
create index message_trash on message (folder, deleted);
create index message_forwarded on message (forwarded_by) where forwarded_by is not null;

create table transcript (
    message  text   primary key references message (id) on delete cascade,
    language text   not null,
    segments text   not null,                  -- JSON array of start_ms, end_ms, text, confidence
    engine   text   not null,
    created  bigint not null
);

create table translation (
    message  text   primary key references message (id) on delete cascade,
    language text   not null,
    text     text   not null,
    numbers  text   not null,                  -- JSON: numbers that are not the original's
    engine   text   not null,
    created  bigint not null
);

create table delivery (
    message    text    not null references message (id) on delete cascade,
    recipient  text    not null,
    kind       text    not null check (kind in ('full', 'short')),
    state      text    not null
               check (state in ('queued', 'accepted', 'deferred', 'failed', 'bounced',
                                'unsubscribed')),
    with_audio boolean not null default false, -- the recording was in what was accepted
    attempts   bigint  not null default 0,
    reply      text,                           -- what the mail server said last
    next_try   bigint,
    primary key (message, recipient)
);

-- The few that somebody still waits for.
create index delivery_open on delivery (message) where state in ('queued', 'deferred');

-- Who asked not to get any more mail from a mailbox.
create table unsubscribed (
    mailbox   text   not null references mailbox (id) on delete cascade,
    recipient text   not null,
    created   bigint not null,
    primary key (mailbox, recipient)
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
    unique (subject, kind)
);

create index job_due on job (kind, state, due, id);

-- Ids of purged messages: a take found again in the spool must not bring one back.
create table tombstone (
    message text   primary key,
    purged  bigint not null
);

-- Who may use the API, and for what. The token itself is not kept.
create table token (
    id      text   primary key,
    tenant  text   references tenant (id) on delete cascade, -- null: every tenant
    name    text   not null,
    scopes  text   not null,                   -- JSON array
    sha256  text   not null unique,
    created bigint not null,
    expires bigint,
    used    bigint,
    revoked bigint
);

-- What this server made for itself, such as the key that signs links in mails.
create table secret (
    name    text   primary key,
    value   text   not null,
    created bigint not null
);
