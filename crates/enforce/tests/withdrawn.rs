//! A call that its caller withdraws.

mod setting;

use enforce::{Answer, Boxed, Live, Lost, Reply, Route};
use setting::Setting;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;
use vocab::id::Digest;
use vocab::{Call, Target};

/// A tool that never answers.
struct Silent {
    definition: Digest,
    sent: AtomicUsize,
    has_it: Notify,
}

impl Silent {
    fn of(setting: &Setting) -> Arc<Self> {
        let definition = setting.definition.clone();
        Arc::new(Self { definition, sent: AtomicUsize::new(0), has_it: Notify::new() })
    }
}

impl Route for Silent {
    fn live(&self, _target: &Target) -> Live {
        Live::Definition(self.definition.clone())
    }

    fn send<'a>(&'a self, _effective: &'a Call) -> Boxed<'a, Result<Reply, Lost>> {
        self.sent.fetch_add(1, Ordering::SeqCst);
        self.has_it.notify_one();
        Box::pin(std::future::pending())
    }

    fn working_directory(&self) -> String {
        "/srv/shop".to_owned()
    }
}

#[tokio::test]
async fn before_it_was_sent_it_is_not_sent() {
    let dir = tempfile::tempdir().unwrap();
    let setting = Setting::open(dir.path()).unwrap();
    let tool = Silent::of(&setting);
    let route: Arc<dyn Route> = tool.clone();
    let submission = setting.submission(&route);
    submission.alive.withdraw();
    let Answer::Failed(failure) = setting.pipeline.submit(submission).await else { panic!("it ran") };
    assert!(!failure.may_have_run && failure.text.contains("withdrew"), "{}", failure.text);
    assert_eq!(tool.sent.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn after_it_was_sent_it_is_unknown() {
    let dir = tempfile::tempdir().unwrap();
    let setting = Setting::open(dir.path()).unwrap();
    let tool = Silent::of(&setting);
    let route: Arc<dyn Route> = tool.clone();
    let submission = setting.submission(&route);
    let alive = submission.alive.clone();
    let submitted = setting.pipeline.submit(submission);
    let (answer, ()) = tokio::join!(submitted, async {
        tool.has_it.notified().await;
        alive.withdraw();
    });
    let Answer::Failed(failure) = answer else { panic!("it was answered") };
    assert!(failure.may_have_run && failure.text.contains("withdrew"), "{}", failure.text);
    assert_eq!(tool.sent.load(Ordering::SeqCst), 1);
}
