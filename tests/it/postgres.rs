//! A PostgreSQL for tests: a cluster in a folder of its own, reached by a socket there and gone with
//! the process that started it, however that ends.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

/// Makes a cluster, starts it whenever a line is read, and stops it at the next; at the end of what
/// is read, nothing is left of it. `$1` has the programs, `$2` says how clients are known.
const KEEPER: &str = r#"
set -e
umask 077
dir=$(mktemp -d "${TMPDIR:-/tmp}/afterbeep-pg.XXXXXX")
trap 'kill -QUIT $pid 2>/dev/null; wait; rm -rf "$dir"' EXIT
trap 'exit 1' TERM INT
echo secret >"$dir/password"
"$1/initdb" -D "$dir/data" -U afterbeep -A "$2" --pwfile="$dir/password" --locale=C.UTF-8 --no-sync \
    --no-instructions >/dev/null
if [ -n "$KEY" ]; then
    echo "$CERTIFICATE" >"$dir/certificate.pem"
    echo "$KEY" >"$dir/key.pem"
    listen=127.0.0.1
    ssl="-c ssl=on -c ssl_cert_file=$dir/certificate.pem -c ssl_key_file=$dir/key.pem"
fi
while read -r _; do
    "$1/postgres" -D "$dir/data" -h "$listen" -k "$dir" -c max_connections=400 $ssl >>"$dir/log" 2>&1 </dev/null &
    pid=$!
    until "$1/pg_isready" -q -h "$dir"; do
        kill -0 $pid 2>/dev/null || { cat "$dir/log" >&2; exit 1; }
        sleep 0.05
    done
    echo "$dir"
    read -r how || exit 0
    kill "-$how" $pid
    wait $pid || true
    echo stopped
done
"#;

/// A running cluster.
pub struct Cluster {
    pub dir: PathBuf,
    port: u16,
    keeper: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<std::process::ChildStdout>,
}

/// A new, empty database in the cluster all tests share: the address of it.
pub async fn database() -> String {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    tokio::task::spawn_blocking(|| SHARED.get_or_init(Cluster::start))
        .await
        .unwrap()
        .database()
        .await
}

impl Cluster {
    /// One that lets everybody in.
    pub fn start() -> Self {
        Self::start_with("trust", None)
    }

    /// One that wants the password "secret".
    pub fn guarded() -> Self {
        Self::start_with("scram-sha-256", None)
    }

    /// One that is reached over TLS at `localhost`, with the certificate of these files.
    pub fn protected(certificate: &Path, key: &Path) -> Self {
        Self::start_with("trust", Some([certificate, key]))
    }

    fn start_with(method: &str, identity: Option<[&Path; 2]>) -> Self {
        let mut command = command();
        command.args(["sh", "-c", KEEPER, "keeper"]).arg(programs()).arg(method).current_dir("/");
        let mut port = 5432;
        if let Some([certificate, key]) = identity {
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            port = free.local_addr().unwrap().port();
            command.env("CERTIFICATE", std::fs::read_to_string(certificate).unwrap());
            command.env("KEY", std::fs::read_to_string(key).unwrap());
        }
        command.env("PGPORT", port.to_string());
        let mut keeper =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("no shell");
        let (orders, answers) = (keeper.stdin.take(), keeper.stdout.take().unwrap());
        let answers = BufReader::new(answers);
        let mut cluster = Self { dir: PathBuf::new(), port, keeper, orders, answers };
        cluster.begin();
        cluster
    }

    /// Starts it again after a stop.
    pub fn begin(&mut self) {
        self.dir = PathBuf::from(self.order("start"));
        assert!(self.dir.is_dir(), "PostgreSQL does not start: {}", self.dir.display());
    }

    /// Stops it at once (`QUIT`), or after it has told its clients (`INT`).
    pub fn stop(&mut self, how: &str) {
        assert_eq!(self.order(how), "stopped");
    }

    pub async fn database(&self) -> String {
        static NAMES: AtomicU32 = AtomicU32::new(0);
        let name = format!("house{}", NAMES.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(&self.url("postgres")).await.unwrap();
        let create = format!("create database {name}");
        connection.execute(AssertSqlSafe(create)).await.unwrap();
        self.url(&name)
    }

    pub fn url(&self, database: &str) -> String {
        let (socket, port) = (self.dir.display(), self.port);
        format!("postgres://afterbeep@localhost:{port}/{database}?host={socket}&sslmode=disable")
    }

    /// The same by TCP, and only if the server shows this certificate.
    pub fn protected_url(&self, database: &str, root: &Path) -> String {
        let (port, root) = (self.port, root.display());
        format!(
            "postgres://afterbeep@localhost:{port}/{database}?sslmode=verify-full&sslrootcert={root}"
        )
    }

    fn order(&mut self, what: &str) -> String {
        use std::io::Write;
        writeln!(self.orders.as_mut().unwrap(), "{what}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        answer.trim().to_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.orders.take();
        self.keeper.wait().ok();
    }
}

/// Where the programs of Debian's package lie, of the newest version that is there.
fn programs() -> PathBuf {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let versions = installed.filter_map(|it| {
        let path = it.ok()?.path();
        let version: u32 = path.file_name()?.to_str()?.parse().ok()?;
        path.join("bin/initdb").exists().then(|| (version, path.join("bin")))
    });
    let newest = versions.max().map(|it| it.1);
    newest.expect("PostgreSQL is missing; Debian's package is called `postgresql`")
}

/// PostgreSQL refuses to be run by root, so it gets a user of its own.
fn command() -> Command {
    let is_root = Path::new("/proc/self").metadata().is_ok_and(|it| {
        use std::os::unix::fs::MetadataExt;
        it.uid() == 0
    });
    if !is_root {
        return Command::new("env");
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let is_there = users.lines().any(|it| it.starts_with("postgres:"));
    let user = if is_there { "postgres" } else { "nobody" };
    let group = Command::new("id").args(["-gn", user]).output().unwrap();
    let group = String::from_utf8(group.stdout).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", user, "--regid", group.trim(), "--clear-groups"]);
    command
}
