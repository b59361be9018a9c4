//! A call, and what it finds in place of its device.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use thingcall_core::{
    Answer, Args, Call, CallError, CallId, CallMode, Command, Deadline, Device, DeviceKey, DeviceLink, IotId, Qos,
    ReplyBody, RequestId,
};
use tokio::time::Instant;

pub(crate) fn call(mode: CallMode, args: &str) -> Call {
    let key = DeviceKey { product: "pk1".parse().unwrap(), name: "dev1".parse().unwrap() };
    Call {
        letter: None,
        id: CallId::from_u32(7),
        request_id: RequestId::random(),
        device: Arc::new(Device { key, iot_id: IotId::try_from("iot1").unwrap(), enabled: true, transport: None }),
        service: "testFb:testService".parse().unwrap(),
        mode,
        qos: Qos::AtMostOnce,
        args: Args::checked(args),
        deadline: None,
        trace: None,
    }
}

type Behaviour = dyn Fn(Command) -> BoxFuture<'static, Result<Answer, CallError>> + Send + Sync;

/// What a call finds in place of its device.
pub(crate) struct FakeDevice {
    deadline: Deadline,
    answering: Box<Behaviour>,
    pub(crate) asked: Mutex<Vec<String>>,
}

impl FakeDevice {
    pub(crate) fn new<F>(answering: impl Fn(Command) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Answer, CallError>> + Send + 'static,
    {
        let deadline = Deadline::at((Instant::now() + Duration::from_secs(8)).into_std());
        Self { deadline, answering: Box::new(move |command| Box::pin(answering(command))), asked: Mutex::default() }
    }

    /// Answers at once with what it was asked.
    pub(crate) fn echo() -> Self {
        Self::new(|command| std::future::ready(Ok(replied(200, command.params.as_str()))))
    }

    /// Never answers.
    pub(crate) fn silent() -> Self {
        Self::new(|_| std::future::pending())
    }
}

#[async_trait]
impl DeviceLink for FakeDevice {
    async fn call(&self, command: Command) -> Result<Answer, CallError> {
        self.asked.lock().unwrap().push(command.params.as_str().to_owned());
        (self.answering)(command).await
    }

    fn deadline(&self) -> Deadline {
        self.deadline
    }
}

pub(crate) fn replied(code: i64, data: &str) -> Answer {
    Answer::Replied(ReplyBody { code, message: None, data: data.to_owned() })
}
