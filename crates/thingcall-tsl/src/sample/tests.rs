//! Facts about samples, over models made up at random.

use proptest::prelude::*;

use crate::{ArgsCheck, Service, ThingModel, check_object};

/// Type and specs of a data type, as a model's file has them.
fn data_type() -> impl Strategy<Value = String> {
    let bound = || prop_oneof![any::<i32>(), -3..3i32];
    let int = (bound(), bound()).prop_map(|(a, b)| {
        format!(r#"{{"type":"int","specs":{{"min":"{}","max":"{}","step":"1"}}}}"#, a.min(b), a.max(b))
    });
    let real = |name: &'static str, scale: f64| {
        (-1.0..1.0f64, -1.0..1.0f64, 0..3u8).prop_map(move |(a, b, exponent)| {
            let scale = [1.0, 1e-6, scale][usize::from(exponent)];
            let (min, max) = (a.min(b) * scale, a.max(b) * scale);
            format!(r#"{{"type":"{name}","specs":{{"min":"{min:?}","max":"{max:?}"}}}}"#)
        })
    };
    let text = (1..20u32).prop_map(|length| format!(r#"{{"type":"text","specs":{{"length":"{length}"}}}}"#));
    let plain = prop::sample::select(vec![
        r#"{"type":"date","specs":{}}"#,
        r#"{"type":"bool","specs":{"0":"off","1":"on"}}"#,
        r#"{"type":"enum","specs":{"-7":"a","3":"b"}}"#,
        r#"{"type":"int"}"#,
        r#"{"type":"float"}"#,
        r#"{"type":"double"}"#,
        r#"{"type":"array","specs":{"size":"512","item":{"type":"float"}}}"#,
    ]);
    let leaf = prop_oneof![int, real("float", 3e38), real("double", 1e308), text, plain.prop_map(str::to_owned)];
    leaf.prop_recursive(3, 12, 4, |inner| {
        (prop::collection::vec(inner, 1..4), 0..6u32).prop_map(|(types, size)| {
            let structure = format!(r#"{{"type":"struct","specs":{}}}"#, fields(&types));
            match size {
                0 => structure,
                size => format!(r#"{{"type":"array","specs":{{"size":"{size}","item":{structure}}}}}"#),
            }
        })
    })
}

fn fields(types: &[String]) -> String {
    let field = |(i, data_type)| format!(r#"{{"identifier":"x{i}","name":"x","dataType":{data_type}}}"#);
    format!("[{}]", types.iter().enumerate().map(field).collect::<Vec<_>>().join(","))
}

pub(crate) fn model() -> impl Strategy<Value = ThingModel> {
    let types = || prop::collection::vec(data_type(), 0..4);
    (types(), types()).prop_map(|(inputs, outputs)| {
        let main = format!(
            r#"{{"services":[{{"identifier":"S","callType":"sync","inputData":{},"outputData":{}}}]}}"#,
            fields(&inputs),
            fields(&outputs)
        );
        ThingModel::parse(&main, &[]).unwrap_or_else(|problems| panic!("{problems}\n{main}"))
    })
}

pub(crate) fn only(model: &ThingModel) -> &Service {
    model.services().next().unwrap().1
}

proptest! {
    #[test]
    fn samples_fit_every_model(model in model(), seed: u64) {
        let service = only(&model);
        prop_assert_eq!(service.check_args(&service.sample_args(), ArgsCheck::Strict), Ok(None));
        prop_assert_eq!(service.check_reply(&service.sample_output(seed)), Ok(()));
        prop_assert_eq!(service.sample_output(seed), service.sample_output(seed));
    }

    #[test]
    fn a_mutated_sample_is_judged_and_never_panics(model in model(), at: prop::sample::Index, byte in "[ -~é]") {
        let service = only(&model);
        let mut args = service.sample_args();
        let at = at.index(args.len());
        args.replace_range(at..=at, &byte);
        service.check_reply(&args).ok();
        // What the model takes is an object, and what is no object the model does not take.
        prop_assert!(service.check_args(&args, ArgsCheck::Strict).is_err() || check_object("Args", &args, ArgsCheck::Strict).is_ok());
    }

    #[test]
    fn arbitrary_text_never_panics(model in model(), text in ".{0,60}") {
        let args = only(&model).check_args(&text, ArgsCheck::Strict).map(drop);
        let taken = [args, only(&model).check_reply(&text)];
        prop_assert!(check_object("Args", &text, ArgsCheck::Strict).is_ok() || taken.iter().all(Result::is_err));
        prop_assert!(ThingModel::parse(&text, &[&text]).is_err());
    }
}
