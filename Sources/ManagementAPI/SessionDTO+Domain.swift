internal import APISchema
internal import MigrationCore

extension SessionDTO {
    init(_ record: SessionRecord) {
        self.init(
            id: record.id.text,
            device: record.device.text,
            origin: record.origin.rawValue,
            status: record.status.rawValue,
            content: record.content.rawValue,
            reproducible: record.isReproducible,
            openedAt: record.openedAt.rfc3339,
            closedAt: record.closedAt?.rfc3339,
            note: record.note
        )
        sidecarBytes = record.sidecar.map { Int64($0.bytes.count) }
    }
}
