internal import MigrationCore
internal import MigrationPorts
internal import StateTransfer

/// The actions on images, and LOADED.
extension JobRunner {
    func verifyImage() throws(ActionFailure) {
        try naming { () throws(Problem) in
            guard let image = members.image else {
                throw Problem(.internalError, "The restore has no image.")
            }
            members.setReader(try images.open(image, shouldStop: { job.isInterrupted }))
        }
    }

    func createImage() throws(ActionFailure) {
        try naming { () throws(Problem) in
            members.setWriter(try images.create(ImageID(job.id)))
        }
    }

    func discardImage() throws(ActionFailure) {
        try naming { () throws(Problem) in try members.writer?.discard() }
    }

    func sealImage() throws(ActionFailure) {
        try naming { () throws(Problem) in
            guard let writer = members.writer, let pump = members.pump else {
                throw Problem(.internalError, "The save has written no image.")
            }
            let image = try imageRecord(try pump.end())
            try writer.seal(image)
            let event = Event(at: clock.timestamp(), topic: .imageChanged(image.id, exists: true))
            do throws(Problem) {
                try job.record(
                    [],
                    .machine,
                    with: StoreChange(savedImages: [image], events: [event])
                ) { $0.image = image.id }
            } catch {
                // An image that the catalogue does not know must not stay behind.
                try? images.delete(image.id)
                throw error
            }
            members.setSealed(image)
        }
    }

    private func imageRecord(_ end: EndRecord) throws(Problem) -> ImageRecord {
        let source = try members.session(.source)
        return ImageRecord(
            id: ImageID(job.id),
            job: job.id,
            createdAt: clock.timestamp(),
            members: [
                ImageRecord.Member(
                    device: source.device.device,
                    driver: source.facts.driver,
                    vendorID: source.facts.vendorID,
                    deviceID: source.facts.deviceID,
                    flags: source.device.session.support.flags?.rawValue ?? 0,
                    byteCount: end.byteCount,
                    sha256: end.sha256
                )
            ],
            sourceResumed: job.spec.work.sourceRunsOn,
            kernelRelease: kernelRelease
        )
    }

    /// LOADED: counts and digests agree, and the target itself says STOP.
    func confirmLoaded() throws(ActionFailure) {
        let target = try session(.target).device
        do throws(Problem) {
            guard let pump = members.pump else {
                throw Problem(.internalError, "Nothing was loaded.")
            }
            let end = try pump.end()
            try members.reader?.finish(end)
            let state = try target.currentState()
            guard state == .stop else {
                throw Problem(
                    .deviceFailed,
                    "\(target.device) says \(state.kernelName) after its load, not STOP.",
                    Problem.Facts(device: target.device)
                )
            }
        } catch {
            throw ActionFailure(error, side: .target, state: target.lastState)
        }
    }
}
