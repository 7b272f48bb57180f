internal import APISchema
internal import JobEngine
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
        machine = record.machine
        ferryVersion = record.ferryVersion
        uploadedAt = record.uploadedAt?.rfc3339
        save = record.save.map { save in
            ImageSaveDTO(
                createdAt: save.createdAt.rfc3339,
                startedAt: save.startedAt?.rfc3339,
                finishedAt: save.finishedAt.rfc3339
            )
        }
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
        bus = member.bus?.rawValue
        address = member.address
        driver = member.driver
        vendorID = member.vendorID.map(pciIdentifier)
        deviceID = member.deviceID.map(pciIdentifier)
        subsystemVendorID = member.subsystemVendorID.map(pciIdentifier)
        subsystemDeviceID = member.subsystemDeviceID.map(pciIdentifier)
        sidecar = member.sidecar.map { sidecar in
            ImageSidecarDTO(sizeBytes: Int64(bytes: sidecar.byteCount), sha256: sidecar.sha256)
        }
    }
}

extension ImageVerificationDTO {
    init(_ verification: ImageVerification) {
        let record = verification.record
        self.init(
            image: record.id.text,
            members: record.members.map { member in
                VerifiedMemberDTO(
                    device: member.device.text,
                    sizeBytes: Int64(bytes: member.byteCount),
                    sha256: member.sha256
                )
            },
            verifiedAt: verification.verifiedAt.rfc3339,
            durationMs: Int64(millisecondsOf: verification.nanoseconds),
            sizeBytes: Int64(bytes: record.byteCount)
        )
    }
}
