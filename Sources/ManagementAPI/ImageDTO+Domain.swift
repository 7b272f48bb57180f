internal import APISchema
internal import MigrationCore

extension ImageDTO {
    init(_ record: ImageRecord) {
        self.init(
            id: record.id.text,
            job: record.job.text,
            createdAt: record.createdAt.rfc3339,
            members: record.members.map(ImageMemberDTO.init),
            sourceResumed: record.sourceResumed,
            kernelRelease: record.kernelRelease,
            sizeBytes: Int64(bytes: record.byteCount)
        )
    }
}

extension ImageMemberDTO {
    init(_ member: ImageRecord.Member) {
        self.init(
            device: member.device.text,
            flags: MigrationFlags(rawValue: member.flags).names,
            sizeBytes: Int64(bytes: member.byteCount),
            sha256: member.sha256
        )
        driver = member.driver
        vendorID = member.vendorID.map(pciIdentifier)
        deviceID = member.deviceID.map(pciIdentifier)
    }
}
