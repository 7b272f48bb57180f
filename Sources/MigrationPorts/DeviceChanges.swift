package import MigrationCore

/// What is not as it was in a backend's list of devices.
package struct DeviceChanges: Hashable, Sendable {
    /// Those that were there and are not.
    package let gone: [DeviceID]
    /// Those that are new, or not what they were.
    package let changed: [DeviceID]

    package init(gone: [DeviceID], changed: [DeviceID]) {
        self.gone = gone
        self.changed = changed
    }
}
