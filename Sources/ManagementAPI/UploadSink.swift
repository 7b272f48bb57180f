internal import Dispatch
internal import JobEngine
internal import MigrationCore
internal import Synchronization

/// An image on its way in: collected in one buffer while the one before is written to the disk, on
/// a queue of its own.
final class UploadSink: RequestBodySink {
    /// Bytes collected before the sender has to wait; as many may be on their way to the disk.
    static let bufferByteCount = 512 << 10

    private struct State {
        var collected: [UInt8] = []
        /// The other buffer, while it is not in use.
        var spare: [UInt8] = []
        var isWriting = false
        var refusal: APIResponse?
        var whenReady: (@Sendable () -> Void)?
    }

    private let upload: ImageUpload
    /// How an image that came in is told, and what went wrong.
    private let response: @Sendable (Result<ImageRecord, Problem>) -> APIResponse
    let queue = DispatchQueue(label: "ferry.upload")
    /// Guards the buffers and who waits for them.
    ///
    /// A leaf: the disk is written and the waiting one called outside of it.
    private let state = Mutex(State())

    init(
        _ upload: ImageUpload,
        response: @escaping @Sendable (Result<ImageRecord, Problem>) -> APIResponse
    ) {
        self.upload = upload
        self.response = response
        queue.async { self.orRefuse { () throws(Problem) in try self.upload.open() } }
    }

    func take(
        _ bytes: UnsafeRawBufferPointer,
        whenReady: @escaping @Sendable () -> Void
    ) -> SinkAnswer {
        let (answer, startsWriting): (SinkAnswer, Bool) = state.withLock { state in
            if let refusal = state.refusal { return (.refused(refusal), false) }
            let count = state.collected.count + bytes.count
            guard state.collected.isEmpty || count <= Self.bufferByteCount else {
                state.whenReady = whenReady
                return (.later, false)
            }
            unsafe state.collected.append(contentsOf: bytes)
            let starts = !state.isWriting
            state.isWriting = true
            return (.taken, starts)
        }
        if startsWriting { queue.async { self.write() } }
        return answer
    }

    func finish(reply: @escaping @Sendable (APIResponse) -> Void) {
        queue.async { [self] in
            if let refusal = state.withLock({ $0.refusal }) { return reply(refusal) }
            let result: Result<ImageRecord, Problem>
            do throws(Problem) {
                result = .success(try upload.finish())
            } catch {
                result = .failure(error)
            }
            reply(response(result))
        }
    }

    func abandon() {
        queue.async { self.upload.breakOff() }
    }

    /// Writes what is collected until nothing is.
    private func write() {
        while var bytes = nextWrite() {
            orRefuse { () throws(Problem) in
                try unsafe bytes.withUnsafeBufferPointer { bytes throws(Problem) in
                    try unsafe upload.receive(UnsafeRawBufferPointer(bytes))
                }
            }
            bytes.removeAll(keepingCapacity: true)
            state.withLock { swap(&$0.spare, &bytes) }
        }
    }

    private func nextWrite() -> [UInt8]? {
        let (bytes, whenReady): ([UInt8]?, (@Sendable () -> Void)?) = state.withLock { state in
            guard !state.collected.isEmpty, state.refusal == nil else {
                state.isWriting = false
                return (nil, nil)
            }
            var bytes: [UInt8] = []
            swap(&bytes, &state.collected)
            swap(&state.collected, &state.spare)
            let waiting = state.whenReady
            state.whenReady = nil
            return (bytes, waiting)
        }
        whenReady?()
        return bytes
    }

    /// Does work unless there was a refusal; what fails is one, and whoever waits is told.
    private func orRefuse(_ work: () throws(Problem) -> Void) {
        guard state.withLock({ $0.refusal == nil }) else { return }
        do throws(Problem) {
            try work()
        } catch {
            let refusal = response(.failure(error))
            let whenReady = state.withLock { state in
                state.refusal = refusal
                state.collected = []
                let waiting = state.whenReady
                state.whenReady = nil
                return waiting
            }
            whenReady?()
        }
    }
}
