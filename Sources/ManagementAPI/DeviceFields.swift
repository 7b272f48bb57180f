internal import JobEngine
internal import MigrationCore

/// What devices are filtered and sorted by.
enum DeviceFields {
    static let table = FieldTable<DeviceView>(
        list: "devices",
        order: "id",
        members: [
            "id", "backend", "bus", "address", "driver", "iommu_group", "cdev", "group",
            "vendor_id", "device_id", "vendor_name", "device_name", "device_api", "numa_node",
            "isolation", "pci", "mdev", "ccw", "ap", "vfio_user", "candidate", "migration",
            "vfio_state",
            "session", "content", "locked_by", "holders", "simulated",
        ],
        fields: own + [
            .text("migration.kind") { $0.record.support.kind },
            .set("migration.flags") { $0.record.support.flags?.names ?? [] },
            .text("migration.source") { $0.migrationSource },
            .text("vfio_state") { $0.vfioStateName },
            .text("session") { $0.session?.id.text },
            .text("content") { $0.session?.content.rawValue },
            .text("locked_by") { $0.lockedBy?.text },
        ] + simulated
    )

    private static let own: [ListField<DeviceView>] = [
        .text("id") { $0.record.id.text },
        .text("backend") { $0.record.backend.rawValue },
        .text("bus") { $0.record.bus.rawValue },
        .text("address") { $0.record.address },
        .text("driver") { $0.record.driver },
        .text("iommu_group") { $0.record.iommuGroup },
        .text("cdev") { $0.record.cdevPath },
        .text("group") { $0.record.groupPath },
        .text("vendor_id") { $0.record.vendorID.map(pciIdentifier) },
        .text("device_id") { $0.record.deviceID.map(pciIdentifier) },
        .number("numa_node") { $0.record.numaNode.map { Int64($0) } },
        .text("vendor_name") { $0.record.names?.vendor },
        .text("device_name") { $0.record.names?.device },
        .text("device_api") { $0.record.deviceAPI },
        .flag("isolation.viable") { $0.record.isolation?.isViable },
        .text("pci.class_code") {
            $0.record.pci?.classCode.map { hexadecimal($0, digits: 6) }
        },
        .text("pci.class_name") { $0.record.names?.deviceClass },
        .text("pci.physical_function") { $0.record.pci?.physicalFunction },
        .text("mdev.parent") { $0.record.mediated?.parent },
        .text("mdev.type") { $0.record.mediated?.type },
        .text("ccw.subchannel") { $0.record.subchannel?.address },
        .set("ap.queues") { $0.record.matrix?.queues ?? [] },
        .text("vfio_user.socket") { $0.record.socket?.name },
        .text("candidate.driver") { $0.record.candidate?.driver },
        .text("candidate.kind") { $0.record.candidate?.kind.rawValue },
    ]

    private static let simulated: [ListField<DeviceView>] = [
        .text("simulated.profile") { $0.record.simulation?.profile },
        .text("simulated.seed") { $0.record.simulation.map { String($0.seed) } },
        .number("simulated.state_bytes") {
            $0.record.simulation.map { Int64(bytes: $0.stateByteCount) }
        },
        .number("simulated.dirty_bytes_per_second") {
            $0.record.simulation.map { Int64(bytes: $0.dirtyBytesPerSecond) }
        },
    ]
}
