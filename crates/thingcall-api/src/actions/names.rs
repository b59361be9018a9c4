//! What actions are about, for the rules of access keys.

/// Which parameters of an action say what it is about, as its function reads them: an access key's rules are asked about no
/// other ones. What a request does not say counts as everything there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// A device: `IotId`, else `ProductKey` and `DeviceName`.
    Device,
    /// A device: the same, or the one that `TopicFullName` names behind `ProductKey`. Where that topic is many devices', `ProductKey`.
    DeviceOfTopic,
    /// A device that may not be there yet: `ProductKey` and `DeviceName`.
    NewDevice,
    /// Several: `ProductKey` with `DeviceName.N`; where none is named, all of the product.
    Devices,
    /// Several: `IotId.N`, else the same.
    DevicesOrIds,
    /// `ProductKey`.
    Product,
    /// `FleetCallId`: its action finds it, and judges by its product.
    FleetCall,
    /// No parameter: its action shows what of each product's it may.
    FleetCalls,
    /// No parameter: products in general.
    AllProducts,
    /// `GroupId`.
    Group,
    /// No parameter: consumer groups in general.
    AllGroups,
    /// `ProductKey` and `ConsumerGroupId`.
    ProductAndGroup,
    /// `ProductKey` and `ConsumerGroupIds.N`.
    ProductAndGroups,
}
