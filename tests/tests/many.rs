//! Two thousand connected devices.

use thingcall_tests::{DeviceSecrets, PRODUCT, Site, eventually};

const DEVICES: u32 = 2_000;

#[test]
fn two_thousand_devices_are_connected_and_called() {
    let site = Site::embedded(&[]);
    let series = site.program.metrics().series();
    let simulation = site.simulate(DEVICES);
    eventually("all devices are connected", || {
        let metrics = site.program.metrics();
        let ok = [r#"transport="embedded""#, r#"result="ok""#];
        (metrics.sum("thingcall_transport_connects_total", &ok) >= f64::from(DEVICES)).then_some(())
    });

    let waiting: Vec<_> = (1..=DEVICES)
        .step_by(40)
        .map(|number| {
            let device = DeviceSecrets {
                product: PRODUCT.to_owned(),
                name: format!("sim-{number:04}"),
                secret: String::new(),
                iot_id: String::new(),
            };
            site.begin_invoke(&device, "testFb:testService", r#"{"param1":1}"#)
        })
        .collect();
    for call in waiting {
        call.answer().ok();
    }

    assert_eq!(site.program.metrics().series(), series, "no series for a device");
    drop(simulation);
}
