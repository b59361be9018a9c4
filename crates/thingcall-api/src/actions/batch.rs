//! Batches of devices: BatchCheckDeviceNames, BatchRegisterDevice, BatchRegisterDeviceWithApplyId,
//! QueryBatchRegisterDeviceStatus, QueryPageByApplyId.
//!
//! **Invariant:** names are checked, and devices registered, before their caller is answered; who asks later what became of them
//! is told the end, never a state on the way.

use std::collections::BTreeSet;

use thingcall_core::{DeviceName, ErrorCode, Outcome};
use thingcall_tsl::{Applied, Batch, BatchId, BatchState, Directory, DirectoryError};

use super::device::NICKNAME_CHARACTERS_MAX;
use super::page::Pages;
use super::target;
use crate::answer::{Fields, Node, text};
use crate::error::{ActionError, wrong};
use crate::params::Params;

/// How many names BatchCheckDeviceNames takes: as many as a request has room for. Alibaba's reference says 10,000, and an
/// earlier one 1,000.
const NAMES_MAX: usize = 1_000;
/// How many devices BatchRegisterDevice registers. Source: Alibaba's reference.
const DEVICES_MAX: usize = 10_000;
/// The pages of QueryPageByApplyId, as the same says.
const PAGES: Pages = Pages { size_max: 50, size_default: Some(10), reach_max: usize::MAX };

/// A device as BatchCheckDeviceNames names it.
struct Named<'a> {
    name: &'a str,
    nickname: Option<&'a str>,
}

/// What is wrong with the names of a request.
#[derive(Default)]
struct Faults {
    /// Names, nicknames and what is wrong with them.
    details: Vec<Node>,
    names: Vec<Node>,
    nicknames: Vec<Node>,
    repeated: Vec<Node>,
}

/// BatchCheckDeviceNames.
pub(super) async fn check_names(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let product = target::product(params)?;
    let named = named(params)?;
    let mut faults = Faults::default();
    let mut seen = BTreeSet::new();
    let mut devices = Vec::with_capacity(named.len());
    for Named { name, nickname } in named {
        if !seen.insert(name) {
            faults.repeated.push(text(name));
            continue;
        }
        if nickname.is_some_and(|nickname| nickname.chars().count() > NICKNAME_CHARACTERS_MAX) {
            faults.add(name, nickname, &format!("the nickname is longer than {NICKNAME_CHARACTERS_MAX} characters"));
            faults.nicknames.extend(nickname.map(text));
        }
        match DeviceName::try_from(name) {
            Ok(name) => devices.push(Applied { name, nickname: nickname.map(str::to_owned), problem: None }),
            Err(why) => {
                faults.add(name, nickname, &why.to_string());
                faults.names.push(text(name));
            }
        }
    }
    faults.refuse()?;
    let id = directory.apply(&product, devices).await?;
    Ok(vec![("Data", Node::Object(vec![("ApplyId", Node::Number(id))]))])
}

/// BatchRegisterDevice.
pub(super) async fn register(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let product = target::product(params)?;
    let word = params.need("Count")?;
    let many = word.parse::<usize>().ok().filter(|count| (1..=DEVICES_MAX).contains(count));
    let many = many.ok_or_else(|| {
        let right = wrong("Count", word, &format!("1 to {DEVICES_MAX}"));
        ActionError::service(ErrorCode::DeviceCountExceeded, Outcome::InvalidArgs, right)
    })?;
    let id = directory.register_some(&product, many).await?;
    Ok(vec![("Data", Node::Object(vec![("ApplyId", Node::Number(id))]))])
}

/// BatchRegisterDeviceWithApplyId. A batch that is registered already stays as it is: the caller may ask again.
pub(super) async fn register_applied(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let product = target::product(params)?;
    let id = apply_id(params)?;
    directory.register_batch(&product, id).await?;
    Ok(vec![("Data", Node::Object(vec![("ApplyId", Node::Number(id))]))])
}

/// QueryBatchRegisterDeviceStatus.
pub(super) async fn status(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let product = target::product(params)?;
    let id = apply_id(params)?;
    let (batch, devices) = directory.batch(id).await?;
    if batch.product != product {
        return Err(DirectoryError::NoBatch(id).into());
    }
    let (mut valid, mut invalid, mut details) = (Vec::new(), Vec::new(), Vec::new());
    // Of a batch that is well, no device is named. Source: Alibaba's reference.
    let (word, is_well) = described(&batch);
    for device in devices.iter().filter(|_| !is_well) {
        match &device.problem {
            None => valid.push(text(device.name.as_str())),
            Some(problem) => {
                invalid.push(text(device.name.as_str()));
                details.push(detail(device.name.as_str(), device.nickname.as_deref(), problem));
            }
        }
    }
    let data = vec![
        ("Status", text(word)),
        ("ValidList", Node::Object(vec![("Name", Node::List(valid))])),
        ("InvalidList", Node::Object(vec![("Name", Node::List(invalid))])),
        ("InvalidDetailList", Node::Object(vec![("invalidDetailList", Node::List(details))])),
    ];
    Ok(vec![("Data", Node::Object(data))])
}

/// QueryPageByApplyId.
pub(super) async fn page(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let id = apply_id(params)?;
    let page = PAGES.asked(params)?;
    let (batch, _) = directory.batch(id).await?;
    let skipped = u64::try_from(page.skipped()).unwrap_or(u64::MAX);
    let (records, left) = directory.batch_page(&batch, skipped, page.size).await?;
    let infos = records.iter().map(|record| {
        let id = record.device.iot_id.as_str();
        Node::Object(vec![
            ("DeviceId", text(id)),
            ("DeviceName", text(record.device.key.name.as_str())),
            ("DeviceSecret", text(record.secret.expose())),
            ("IotId", text(id)),
        ])
    });
    let mut fields = vec![("ApplyDeviceList", Node::Object(vec![("ApplyDeviceInfo", Node::List(infos.collect()))]))];
    fields.extend(page.told(left));
    Ok(fields)
}

/// How far a batch is, in the platform's words, and whether all of it is well.
const fn described(batch: &Batch) -> (&'static str, bool) {
    match batch.state {
        BatchState::Checked => ("CHECK_SUCCESS", true),
        BatchState::Refused => ("CHECK_FAILED", false),
        BatchState::Created => ("CREATE_SUCCESS", true),
        BatchState::Failed => ("CREATE_FAILED", false),
    }
}

impl Faults {
    fn add(&mut self, name: &str, nickname: Option<&str>, problem: &str) {
        self.details.push(detail(name, nickname, problem));
    }

    /// The names that are wrong go with the refusal.
    fn refuse(self) -> Result<(), ActionError> {
        let code = match (self.details.is_empty(), self.repeated.is_empty()) {
            (true, true) => return Ok(()),
            (false, _) => ErrorCode::InvalidFormattedDeviceName,
            (true, false) => ErrorCode::IllegalRequest,
        };
        let said = "DeviceName.N or DeviceNameList.N: some names or nicknames are none that may be, or named twice; Data lists them. No batch was made";
        let list = |name, list| Node::Object(vec![(name, Node::List(list))]);
        let data = vec![
            ("InvalidDeviceNameList", list("InvalidDeviceName", self.names)),
            ("InvalidDeviceNicknameList", list("InvalidDeviceNickname", self.nicknames)),
            ("RepeatedDeviceNameList", list("RepeatDevieNameList", self.repeated)),
            ("InvalidDetailList", list("InvalidDetailList", self.details)),
        ];
        Err(ActionError::service(code, Outcome::InvalidArgs, said).with_data(data))
    }
}

fn detail(name: &str, nickname: Option<&str>, problem: &str) -> Node {
    let nickname = nickname.unwrap_or_default();
    Node::Object(vec![("DeviceName", text(name)), ("NickName", text(nickname)), ("ErrorMsg", text(problem))])
}

/// `DeviceNameList.N` wins where both are given. Source: Alibaba's reference.
fn named<'a>(params: &'a Params<'_>) -> Result<Vec<Named<'a>>, ActionError> {
    let listed = 1..=params.count("DeviceNameList", &[".DeviceName", ".DeviceNickname"])?;
    let listed = listed.map(|nth| {
        let name = params.get(&format!("DeviceNameList.{nth}.DeviceName"));
        let name = name.ok_or_else(|| ActionError::illegal(format!("DeviceNameList.{nth}.DeviceName is missing")))?;
        Ok(Named { name, nickname: params.get(&format!("DeviceNameList.{nth}.DeviceNickname")) })
    });
    let mut named = listed.collect::<Result<Vec<_>, ActionError>>()?;
    if named.is_empty() {
        let names = params.list("DeviceName")?.into_iter();
        named = names.map(|name| Named { name, nickname: None }).collect();
    }
    match named.len() {
        0 => {
            let none = "no device is named; give DeviceName.1, DeviceName.2, ... or DeviceNameList.1.DeviceName, ...";
            Err(ActionError::service(ErrorCode::NoneDeviceNameElement, Outcome::InvalidArgs, none))
        }
        many if many > NAMES_MAX => {
            let many = format!(
                "DeviceName.N or DeviceNameList.N: more than {NAMES_MAX} devices are named; name fewer at a time"
            );
            Err(ActionError::service(ErrorCode::DeviceCountExceeded, Outcome::InvalidArgs, many))
        }
        _ => Ok(named),
    }
}

fn apply_id(params: &Params<'_>) -> Result<BatchId, ActionError> {
    let missing = "ApplyId is missing; BatchCheckDeviceNames and BatchRegisterDevice answer it";
    let word = params.get("ApplyId");
    let word = word.ok_or_else(|| ActionError::service(ErrorCode::NullApplyId, Outcome::InvalidArgs, missing))?;
    word.parse().ok().filter(|id| *id > 0).ok_or_else(|| {
        let right = wrong("ApplyId", word, "a number as BatchCheckDeviceNames answers it");
        ActionError::service(ErrorCode::InvalidFormattedApplyId, Outcome::InvalidArgs, right)
    })
}
