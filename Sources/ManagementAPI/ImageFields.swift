internal import MigrationCore

/// What images are filtered and sorted by.
enum ImageFields {
    static let table = FieldTable<ImageRecord>(
        list: "images",
        order: "-created_at,-id",
        members: [
            "id", "job", "created_at", "members", "source_resumed", "kernel_release", "machine",
            "ferry_version", "save", "size_bytes",
        ],
        fields: [
            .text("id") { $0.id.text },
            .text("job") { $0.job.text },
            .time("created_at") { $0.createdAt },
            .set("members.device") { $0.members.map(\.device.text) },
            .set("members.driver") { $0.members.compactMap(\.driver) },
            .flag("source_resumed") { $0.sourceResumed },
            .text("kernel_release") { $0.kernelRelease },
            .text("machine") { $0.machine },
            .text("ferry_version") { $0.ferryVersion },
            .number("size_bytes") { Int64(bytes: $0.byteCount) },
        ]
    )
}
