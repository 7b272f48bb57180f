internal import APISchema

/// Images for a person.
enum ImageReport {
    static func table(_ images: [ImageDTO]) -> String {
        var table = Table("IMAGE", "DEVICES", "SIZE", "SOURCE", "CREATED")
        for image in images {
            table.add(
                image.id,
                image.members.map(\.device).joined(separator: ","),
                bytes(image.sizeBytes),
                image.sourceResumed ? "may run" : "stopped",
                image.createdAt
            )
        }
        return table.text
    }

    static func verification(_ report: ImageVerificationDTO) -> String {
        var facts = FactList()
        facts.add("image", report.image)
        facts.add("verified", "\(report.verifiedAt), in \(report.durationMs) ms")
        facts.add("size", bytes(report.sizeBytes))
        var members = Table("DEVICE", "SIZE", "SHA-256")
        for member in report.members {
            members.add(member.device, bytes(member.sizeBytes), member.sha256)
        }
        return facts.text() + "\n" + members.text
    }

    static func text(_ image: ImageDTO) -> String {
        var facts = FactList()
        facts.add("image", image.id)
        facts.add("saved by", image.job)
        facts.add("created", image.createdAt)
        facts.add("uploaded", image.uploadedAt)
        facts.add("kernel", image.kernelRelease)
        facts.add("machine", image.machine)
        facts.add("written by", image.ferryVersion.map { "Ferry \($0)" })
        facts.add(
            "source",
            image.sourceResumed ? "may run elsewhere: a restore makes a copy" : "stopped"
        )
        facts.add("size", bytes(image.sizeBytes))
        var members = Table("DEVICE", "DRIVER", "FLAGS", "SIZE", "SIDECAR", "SHA-256")
        for member in image.members {
            members.add(
                member.device,
                member.driver,
                member.flags.joined(separator: ","),
                bytes(member.sizeBytes),
                member.sidecar.map { bytes($0.sizeBytes) },
                member.sha256
            )
        }
        return facts.text() + "\n" + members.text
    }
}
