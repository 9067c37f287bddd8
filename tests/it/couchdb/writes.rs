//! Writes whose answer comes late, wrong or not at all: made once all the same.

use super::*;

#[tokio::test]
async fn a_write_ends_within_its_limits() {
    let (_namespace, _direct, store, proxy) = ready_with_faults().await;
    for _ in 0..9 {
        proxy.fail("", "5550100", Fault::DelayAnswer(LATE));
    }
    let begun = Instant::now();
    assert_eq!(commit_error(&store, create(ID, json!({}))).await.kind, Kind::Unavailable);
    assert!(begun.elapsed() < Duration::from_millis(3 * LIMIT_MS + 1_000), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn one_bad_document_does_not_fail_its_chunk() {
    let (_namespace, store) = ready().await;
    // A file that the server is said to have and has not: it refuses the chunk as a whole.
    let bad = create("+2", json!({"_attachments": {"a": {"stub": true}}}));
    let sets = vec![vec![create("+1", json!({}))], vec![bad], vec![create("+3", json!({}))]];
    let results = store.commit_many(sets).await;
    assert!(results[0].is_ok() && results[2].is_ok(), "{results:?}");
    assert_eq!(results[1].as_ref().unwrap_err().error.kind, Kind::Refused);
}

#[tokio::test]
async fn a_write_with_a_file_is_recognised_as_ones_own() {
    let (_namespace, store) = ready().await;
    let file = json!({"content_type": "text/plain", "data": "aGVsbG8="});
    let write = create(ID, json!({"_attachments": {"a": file}}));
    let rev = commit(&store, write.clone()).await;
    assert_eq!(commit(&store, write).await, rev);

    // Written back as it was read, the file stays.
    let read = live(&store, ID).await.body;
    commit(&store, Write::put(numbers(), ID, Expect::At(rev), read)).await;
    assert_eq!(live(&store, ID).await.body["_attachments"]["a"]["stub"], true);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_made_once() {
    for fault in [
        Fault::LoseAnswer,
        Fault::CutAnswer,
        Fault::DelayAnswer(LATE),
        Fault::AnswerInstead(503, ""),
        Fault::AnswerInstead(500, r#"{"error":"timeout","reason":"x"}"#),
    ] {
        let (_namespace, direct, store, proxy) = ready_with_faults().await;
        proxy.fail("PUT", "5550100", fault.clone());
        let write = create(ID, json!({"n": 1}));
        let rev = commit(&store, write.clone()).await;
        let document = live(&direct, ID).await;
        assert_eq!((&document.rev, &document.body), (&rev, written(&write)), "{fault:?}");
        assert!(rev.as_str().starts_with("1-"), "{fault:?} made {rev:?}");
        let puts = proxy.seen().iter().filter(|line| line.starts_with("PUT")).count();
        assert_eq!(puts, 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_delete_whose_answer_was_lost_is_made_once() {
    let (_namespace, _direct, store, proxy) = ready_with_faults().await;
    let rev = commit(&store, create(ID, json!({}))).await;
    proxy.fail("PUT", "5550100", Fault::LoseAnswer);
    let gone = commit(&store, Write::delete(numbers(), ID, rev, body(json!({"o": 1})))).await;
    let Lookup::Deleted(found) = store.get(&numbers(), ID).await.unwrap() else {
        panic!("not deleted")
    };
    assert_eq!(found.rev, gone);
}

#[tokio::test]
async fn a_write_that_never_arrived_is_sent_again() {
    for fault in [
        Fault::LoseRequest,
        Fault::Answer(503, ""),
        Fault::Answer(500, r#"{"error":"error","reason":"all_dbs_active"}"#),
    ] {
        let (_namespace, direct, store, proxy) = ready_with_faults().await;
        proxy.fail("PUT", "5550100", fault.clone());
        let rev = commit(&store, create(ID, json!({}))).await;
        assert_eq!(live(&direct, ID).await.rev, rev, "{fault:?}");
        let write = Write::put(numbers(), ID, Expect::At(rev), body(json!({"n": 2})));
        proxy.fail("PUT", "5550100", fault);
        let rev = commit(&store, write).await;
        assert_eq!(live(&direct, ID).await.rev, rev);
    }
}

#[tokio::test]
async fn a_request_that_arrives_after_its_repetition_does_no_harm() {
    let (_namespace, direct, store, proxy) = ready_with_faults().await;
    proxy.fail("PUT", "5550100", Fault::DelayRequest(LATE));
    let rev = commit(&store, create(ID, json!({"n": 1}))).await;
    tokio::time::sleep(LATE).await;
    assert_eq!(live(&direct, ID).await.rev, rev);
}

#[tokio::test]
async fn a_body_without_a_stamp_is_never_taken_for_ones_own() {
    let (_namespace, _direct, store, proxy) = ready_with_faults().await;
    let write = Write::put(numbers(), ID, Expect::Absent, Body::new());
    commit(&store, write.clone()).await;
    assert_eq!(commit_error(&store, write).await.kind, Kind::Conflict);
    let write = Write::put(numbers(), "+2", Expect::Absent, Body::new());
    proxy.fail("PUT", "2B2", Fault::LoseAnswer);
    assert_eq!(commit_error(&store, write).await.kind, Kind::Conflict);
    let write = Write::put(numbers(), "+3", Expect::Absent, Body::new());
    proxy.fail("PUT", "2B3", Fault::LoseRequest);
    commit(&store, write).await;
}

/// The revision of the document once its `n` is that.
async fn once_written(store: &CouchStore, n: Value) -> Rev {
    let until = Instant::now() + LATE;
    loop {
        let document = live(store, ID).await;
        if document.body["n"] == n {
            return document.rev;
        }
        assert!(Instant::now() < until, "it was not written");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_lost_answer_to_a_write_that_was_written_over_is_still_success() {
    let (_namespace, direct, store, proxy) = ready_with_faults().await;
    let first = commit(&direct, create(ID, json!({"n": 1}))).await;
    proxy.fail("PUT", "5550100", Fault::DelayAnswer(LATE));
    let ours = Write::put(numbers(), ID, Expect::At(first), body(json!({"n": 2})));
    let over = async {
        let rev = once_written(&direct, json!(2)).await;
        commit(&direct, Write::put(numbers(), ID, Expect::At(rev), body(json!({"n": 3})))).await
    };
    let (ours, theirs) = tokio::join!(commit(&store, ours), over);
    assert!(ours.as_str().starts_with("2-") && theirs.as_str().starts_with("3-"));
    assert_eq!(live(&direct, ID).await.body["n"], 3);
}

#[tokio::test]
async fn a_lost_request_whose_document_was_changed_since_is_a_conflict() {
    let (_namespace, direct, store, proxy) = ready_with_faults().await;
    let first = commit(&direct, create(ID, json!({"n": 1}))).await;
    let other = Write::put(numbers(), ID, Expect::At(first.clone()), body(json!({"n": 2})));
    commit(&direct, other).await;
    proxy.fail("PUT", "5550100", Fault::LoseRequest);
    let ours = Write::put(numbers(), ID, Expect::At(first), body(json!({"n": 3})));
    assert_eq!(commit_error(&store, ours).await.kind, Kind::Conflict);
    assert_eq!(live(&direct, ID).await.body["n"], 2);
}

#[tokio::test]
async fn a_missed_quorum_is_reported() {
    let (_namespace, _direct, store, proxy) = ready_with_faults().await;
    let answer = r#"{"ok":true,"id":"x","rev":"1-abc"}"#;
    proxy.fail("PUT", "5550100", Fault::AnswerInstead(202, answer));
    let set = vec![create(ID, json!({})), create("+2", json!({}))];
    let done = store.commit(set).await.unwrap();
    assert!(!done.quorum);
    assert_eq!(done.revs.len(), 2);
    let rows =
        r#"[{"ok":true,"id":"+3","rev":"1-a"},{"ok":true,"id":"+4","rev":"1-b","accepted":true}]"#;
    proxy.fail("POST", "_bulk_docs", Fault::AnswerInstead(202, rows));
    let sets = ["+3", "+4"].map(|id| vec![create(id, json!({}))]).to_vec();
    let done: Vec<Committed> =
        store.commit_many(sets).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(done.iter().map(|done| done.quorum).collect::<Vec<_>>(), [true, false]);
}

#[tokio::test]
async fn a_chunk_whose_answer_was_lost_is_made_once() {
    for fault in [
        Fault::LoseAnswer,
        Fault::CutAnswer,
        Fault::DelayAnswer(LATE),
        Fault::LoseRequest,
        Fault::Answer(503, ""),
        Fault::DelayRequest(LATE),
    ] {
        let (_namespace, direct, store, proxy) = ready_with_faults().await;
        commit(&direct, create("+2", json!({"other": true}))).await;
        proxy.fail("POST", "_bulk_docs", fault.clone());
        let sets = ["+1", "+2", "+3"].map(|id| vec![create(id, json!({}))]).to_vec();
        let results = store.commit_many(sets).await;
        let error = &results[1].as_ref().unwrap_err().error;
        assert_eq!(error.kind, Kind::Conflict, "{fault:?}");
        for (place, id) in [(0, "+1"), (2, "+3")] {
            let done = results[place].as_ref().unwrap();
            assert_eq!(live(&direct, id).await.rev, done.revs[0], "{fault:?}");
            assert!(done.revs[0].as_str().starts_with("1-"), "{fault:?}");
        }
    }
}

#[tokio::test]
async fn a_validation_function_refuses_a_document() {
    let (namespace, store) = ready().await;
    let design = json!({"validate_doc_update": "function (doc) { if (doc.bad) { throw({forbidden: 'bad'}); } }"});
    let url = namespace.database_url("numbers%2F%2B1415/_design/guard");
    let put = reqwest::Client::new().put(url).header("content-type", "application/json");
    put.body(design.to_string()).send().await.unwrap().error_for_status().unwrap();
    assert_eq!(commit_error(&store, create(ID, json!({"bad": 1}))).await.kind, Kind::Refused);
    let sets = vec![vec![create("+1", json!({"bad": 1}))], vec![create("+2", json!({}))]];
    let results = store.commit_many(sets).await;
    assert_eq!(results[0].as_ref().unwrap_err().error.kind, Kind::Refused);
    assert!(results[1].is_ok());
}
