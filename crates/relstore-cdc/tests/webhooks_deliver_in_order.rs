//! A webhook's receiver gets every commit, in order, one POST each, through refusals, slowness, resets and restarts.
#![cfg(feature = "sink-webhook")]
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod support;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use relstore_cdc::sink::{Body, Webhook, WebhookSink};
use relstore_cdc::{Backoff, Pump, RunningPump};
use relstore_engine::{Database, Start};
use relstore_model::event::Selection;
use relstore_model::{ErrorKind, Op, TxId};
use relstore_testkit::ManualClock;
use serde_json::Value as Json;
use support::{ns, open, run};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the receiver does with a request.
#[derive(Clone, Debug)]
enum Answer {
    Status(&'static str),
    /// Answers only after the client has gone.
    Slow,
    /// Closes the connection without an answer.
    Reset,
}

#[derive(Clone, Debug)]
struct Request {
    headers: HashMap<String, String>,
    body: String,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    fn lsns(&self) -> Vec<u64> {
        serde_json::from_str::<Vec<Json>>(&self.body).unwrap().iter().map(|e| e["lsn"].as_u64().unwrap()).collect()
    }
}

/// A real HTTP server on this machine, which answers as it is told and then with 200.
struct Receiver {
    url: String,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Receiver {
    async fn start(answers: &[Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks?token=secret", listener.local_addr().unwrap());
        let answers = Arc::new(Mutex::new(answers.iter().cloned().collect::<VecDeque<_>>()));
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (of, into) = (Arc::clone(&answers), Arc::clone(&requests));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&of), Arc::clone(&into)));
            }
        });
        Self { url, answers, requests }
    }

    fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, answers: Arc<Mutex<VecDeque<Answer>>>, requests: Arc<Mutex<Vec<Request>>>) {
    let mut bytes = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
                break String::from_utf8(bytes.drain(..end + 4).collect()).unwrap();
            }
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
        };
        assert!(head.starts_with("POST /hooks"), "{head}");
        let headers: HashMap<String, String> =
            head.lines().filter_map(|l| l.split_once(": ")).map(|(k, v)| (k.to_lowercase(), v.to_owned())).collect();
        let length: usize = headers["content-length"].parse().unwrap();
        while bytes.len() < length {
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let body = String::from_utf8(bytes.drain(..length).collect()).unwrap();
        requests.lock().unwrap().push(Request { headers, body });
        let answer = answers.lock().unwrap().pop_front().unwrap_or(Answer::Status("200 OK"));
        match answer {
            Answer::Status(status) => {
                let (status, more) = status.split_once('|').unwrap_or((status, ""));
                let text = format!("HTTP/1.1 {status}\r\n{more}content-length: 4\r\n\r\nsaid");
                stream.write_all(text.as_bytes()).await.unwrap();
            }
            Answer::Slow => {
                // The client hangs up first.
                let _ = stream.read_buf(&mut bytes).await;
                return;
            }
            Answer::Reset => return,
        }
    }
}

fn webhook(receiver: &Receiver) -> Webhook {
    Webhook::new(&receiver.url).timeout(Duration::from_millis(300))
}

async fn start(db: &Arc<Database>, webhook: Webhook) -> RunningPump {
    let clock = Arc::new(ManualClock::new(1_614_265_330_000_000, 0));
    let sink = WebhookSink::new("hook", ns(), webhook, clock).unwrap();
    let backoff = Backoff::new(Duration::from_millis(2), Duration::from_millis(10), 3);
    Pump::new(Arc::clone(db), ns(), Box::new(sink)).start_running(Start::Oldest, backoff).await.unwrap()
}

#[tokio::test]
async fn a_commit_is_one_signed_post_with_its_place_in_the_headers() {
    let dir = tempfile::tempdir().unwrap();
    let (db, receiver) = (open(dir.path()), Receiver::start(&[]).await);
    run(&db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
    let hook = webhook(&receiver).secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").header("x-team", "blue");
    let running = start(&db, hook).await;
    run(&db, "INSERT INTO t VALUES(1, 'é'), (2, NULL)");
    running.wait_for(db.high_water()).await.unwrap();
    let requests = receiver.requests();
    assert_eq!(requests.iter().map(Request::lsns).collect::<Vec<_>>(), [vec![1], vec![2, 3]]);
    let insert = &requests[1];
    let events: Vec<Json> = serde_json::from_str(&insert.body).unwrap();
    let expected = support::logged(&db, &Selection::default())[1].iter().map(|e| serde_json::to_value(e).unwrap()).collect::<Vec<_>>();
    assert_eq!(events, expected);
    let txid = events[0]["txid"].as_str().unwrap();
    for (name, value) in [
        ("content-type", "application/json"),
        ("webhook-id", txid),
        ("idempotency-key", txid),
        ("relstore-txid", txid),
        ("relstore-ns", "acme"),
        ("relstore-lsn-first", "2"),
        ("relstore-lsn", "3"),
        ("relstore-retries", "0"),
        ("webhook-timestamp", "1614265330"),
        ("x-team", "blue"),
    ] {
        assert_eq!(insert.header(name), value, "{name}");
    }
    use base64::Engine as _;
    let key = ring::hmac::Key::new(
        ring::hmac::HMAC_SHA256,
        &base64::engine::general_purpose::STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap(),
    );
    let signature =
        base64::engine::general_purpose::STANDARD.decode(insert.header("webhook-signature").strip_prefix("v1,").unwrap()).unwrap();
    ring::hmac::verify(&key, format!("{txid}.1614265330.{}", insert.body).as_bytes(), &signature).unwrap();
}

#[tokio::test]
async fn a_transaction_id_of_the_callers_is_told_and_is_not_the_webhooks() {
    let dir = tempfile::tempdir().unwrap();
    let (db, receiver) = (open(dir.path()), Receiver::start(&[]).await);
    run(&db, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    // Another store may be given the same id for its part of the same request.
    let insert = |tx: &relstore_engine::Transaction<'_>| tx.execute("INSERT INTO t VALUES(1)", &[]).map(|_| ());
    db.transaction_once::<(), relstore_model::Error>(&TxId::new("order-1").unwrap(), insert).unwrap();
    let running = start(&db, webhook(&receiver)).await;
    running.wait_for(db.high_water()).await.unwrap();
    let last = receiver.requests().pop().unwrap();
    let events: Vec<Json> = serde_json::from_str(&last.body).unwrap();
    assert_eq!((last.header("relstore-txid"), &events[0]["txid"]), ("order-1", &Json::from("order-1")));
    assert_eq!(last.header("webhook-id"), events[0]["id"]);
    assert_eq!(last.header("idempotency-key"), events[0]["id"]);
}

#[tokio::test]
async fn failures_that_pass_are_tried_again_with_the_same_id_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let failing = [
        Answer::Status("500 Internal Server Error"),
        Answer::Reset,
        Answer::Status("503 Service Unavailable"),
        Answer::Slow,
        Answer::Status("429 Too Many Requests|retry-after: 1\r\n"),
        Answer::Status("408 Request Timeout"),
        Answer::Status("204 No Content"),
        Answer::Reset,
    ];
    let (db, receiver) = (open(dir.path()), Receiver::start(&failing).await);
    let running = start(&db, webhook(&receiver)).await;
    let begun = Instant::now();
    run(&db, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    for _ in 0..20 {
        run(&db, "INSERT INTO t DEFAULT VALUES");
    }
    let written = begun.elapsed();
    running.wait_for(db.high_water()).await.unwrap();
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(1), "Retry-After is honoured: {took:?}");
    assert!(written < took / 2, "the writer waited for nobody: {written:?} of {took:?}");
    let mut tries: Vec<(String, Vec<u64>, u32)> = Vec::new();
    for request in receiver.requests() {
        let retries: u32 = request.header("relstore-retries").parse().unwrap();
        let event: Vec<Json> = serde_json::from_str(&request.body).unwrap();
        assert_eq!(event[0]["_meta"]["retries"], retries);
        let (id, lsns) = (request.header("webhook-id").to_owned(), request.lsns());
        match tries.last_mut().filter(|last| last.0 == id) {
            Some(last) => {
                assert_eq!((retries, &last.1), (last.2 + 1, &lsns));
                last.2 = retries;
            }
            None => tries.push((id, lsns, retries)),
        }
    }
    assert_eq!(tries.iter().map(|t| t.1[0]).collect::<Vec<_>>(), (1..=21).collect::<Vec<_>>(), "each once, in order, but for retries");
    assert_eq!((tries[0].2, tries[1].2, tries[2].2), (6, 1, 0));
    let status = running.status();
    assert!(status.last_error.is_some() && status.retries == 0 && status.parked.is_none());
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_refusal_for_good_parks_durably_until_it_is_unparked() {
    let dir = tempfile::tempdir().unwrap();
    let gone = [Answer::Status("200 OK"), Answer::Status("410 Gone"), Answer::Status("301 Moved Permanently|location: /other\r\n")];
    let (db, receiver) = (open(dir.path()), Receiver::start(&gone).await);
    let running = start(&db, webhook(&receiver)).await;
    run(&db, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    run(&db, "INSERT INTO t VALUES(1)");
    let error = running.wait_for(db.high_water()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let said = format!("{error:?}");
    assert!(said.contains("410 Gone") && said.contains("answer: said") && said.contains("lsn: 2"), "{said}");
    assert!(!said.contains("token=secret"), "what may be secret in the URL is not told: {said}");
    // Writers go on, and a restart still shows it.
    run(&db, "INSERT INTO t VALUES(2)");
    running.stop().await.unwrap();
    drop(db);
    let db = open(dir.path());
    assert!(db.cursors().unwrap()[0].parked.as_ref().unwrap().contains("410 Gone"));
    let running = start(&db, webhook(&receiver)).await;
    let status = running.status();
    assert!(status.parked.unwrap().contains("410 Gone") && status.lag == 2);
    assert_eq!(receiver.requests().len(), 2);
    running.unpark().await.unwrap();
    assert_eq!(running.wait_for(db.high_water()).await.unwrap_err().kind(), ErrorKind::Invalid, "a redirect is not followed");
    running.unpark().await.unwrap();
    running.wait_for(db.high_water()).await.unwrap();
    assert_eq!(receiver.requests().iter().map(Request::lsns).collect::<Vec<_>>(), [[1], [2], [2], [2], [3]]);
    assert_eq!(db.cursors().unwrap()[0].parked, None);
    assert!(receiver.answers.lock().unwrap().is_empty());
}

#[tokio::test]
async fn nobody_there_is_waited_for_and_only_what_is_chosen_is_posted() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    run(&db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
    run(&db, "INSERT INTO t VALUES(1, 1), (2, 2)");
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let running = start(&db, Webhook::new(format!("http://{address}/"))).await;
    while running.status().retries < 3 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(running.status().last_error.unwrap().contains("cannot be reached"));
    running.stop().await.unwrap();
    let receiver = Receiver::start(&[]).await;
    let selection = Selection { ops: vec![Op::Delete], ..Selection::default() };
    let running = start(&db, webhook(&receiver).selection(selection).body(Body::Ndjson)).await;
    run(&db, "UPDATE t SET v = 3");
    run(&db, "DELETE FROM t");
    running.wait_for(db.high_water()).await.unwrap();
    let requests = receiver.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!((requests[0].header("content-type"), requests[0].body.lines().count()), ("application/x-ndjson", 2));
    for bad in ["ftp://x/", "not a url"] {
        let clock = Arc::new(ManualClock::new(0, 0));
        assert_eq!(WebhookSink::new("hook", ns(), Webhook::new(bad), clock).err().unwrap().kind(), ErrorKind::Invalid);
    }
}
