internal import CVFIO
internal import MigrationCore
internal import SystemIO

/// `VFIO_DEVICE_FEATURE` for the migration features.
extension DeviceFile {
    /// GET of `VFIO_DEVICE_FEATURE_MIGRATION`; nil when the device has none (ENOTTY).
    func migrationFlags() throws(Errno) -> MigrationFlags? {
        var payload = cvfio_feature_migration()
        payload.feature = get(CVFIO_DEVICE_FEATURE_MIGRATION, byteCount(of: payload))
        do {
            try call(CVFIO_DEVICE_FEATURE, &payload)
        } catch .notTypewriter {
            return nil
        }
        return MigrationFlags(rawValue: payload.flags)
    }

    /// GET of `VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE`.
    ///
    /// Waits while another thread's SET works.
    func state() throws(Errno) -> ReportedState {
        var payload = cvfio_feature_mig_state()
        payload.feature = get(CVFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, byteCount(of: payload))
        payload.data_fd = -1
        try call(CVFIO_DEVICE_FEATURE, &payload)
        return ReportedState(kernelNumber: payload.device_state)
    }

    /// SET of `VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE`; the descriptor of the new stream, if the
    /// last arc opened one.
    ///
    /// The call is made again when it is interrupted: it names a target, not a step. After EMFILE
    /// or ENFILE the device is in the state and its stream is lost.
    func set(_ state: DeviceState) throws(Errno) -> SharedDescriptor? {
        var payload = cvfio_feature_mig_state()
        payload.feature = cvfio_device_feature(
            argsz: byteCount(of: payload),
            flags: CVFIO_DEVICE_FEATURE_SET | CVFIO_DEVICE_FEATURE_MIG_DEVICE_STATE
        )
        payload.device_state = state.rawValue
        payload.data_fd = -1
        try call(CVFIO_DEVICE_FEATURE, &payload)
        guard payload.data_fd >= 0 else { return nil }
        return SharedDescriptor(FileDescriptor(owning: payload.data_fd))
    }

    /// GET of `VFIO_DEVICE_FEATURE_MIG_DATA_SIZE`.
    func stopCopyByteCount() throws(Errno) -> UInt64 {
        var payload = cvfio_feature_mig_data_size()
        payload.feature = get(CVFIO_DEVICE_FEATURE_MIG_DATA_SIZE, byteCount(of: payload))
        try call(CVFIO_DEVICE_FEATURE, &payload)
        return payload.stop_copy_length
    }

    private func get(_ feature: UInt32, _ byteCount: UInt32) -> cvfio_device_feature {
        cvfio_device_feature(argsz: byteCount, flags: CVFIO_DEVICE_FEATURE_GET | feature)
    }
}
