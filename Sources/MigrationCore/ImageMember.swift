extension ImageRecord {
    /// The state of one device of the set.
    package struct Member: Hashable, Sendable, Codable {
        package let device: DeviceID
        package let bus: DeviceRecord.Bus?
        /// The bus's own name of the device.
        package let address: String?
        package let driver: String?
        package let vendorID: UInt32?
        package let deviceID: UInt32?
        package let subsystemVendorID: UInt32?
        package let subsystemDeviceID: UInt32?
        package let flags: UInt64
        /// Bytes of the stream.
        package let byteCount: UInt64
        /// Lower case hexadecimal.
        package let sha256: String
        /// Nil when the device's user left nothing beside it.
        package var sidecar: SidecarFile?

        package init(
            device: DeviceID,
            driver: String?,
            vendorID: UInt32?,
            deviceID: UInt32?,
            flags: UInt64,
            byteCount: UInt64,
            sha256: String
        ) {
            self.device = device
            self.bus = nil
            self.address = nil
            self.driver = driver
            self.vendorID = vendorID
            self.deviceID = deviceID
            self.subsystemVendorID = nil
            self.subsystemDeviceID = nil
            self.flags = flags
            self.byteCount = byteCount
            self.sha256 = sha256
        }

        /// The member of a device, with all the inventory says of what it is.
        package init(
            of device: DeviceRecord,
            flags: UInt64,
            byteCount: UInt64,
            sha256: String,
            sidecar: SidecarFile? = nil
        ) {
            self.device = device.id
            self.bus = device.bus
            self.address = device.address
            self.driver = device.driver
            self.vendorID = device.vendorID
            self.deviceID = device.deviceID
            self.subsystemVendorID = device.subsystemVendorID
            self.subsystemDeviceID = device.subsystemDeviceID
            self.flags = flags
            self.byteCount = byteCount
            self.sha256 = sha256
            self.sidecar = sidecar
        }
    }
}
