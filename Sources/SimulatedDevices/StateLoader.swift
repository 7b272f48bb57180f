internal import MigrationCore

/// The resuming side of a stream: takes the bytes, however they are cut, and notices of them what
/// the profile's driver notices.
///
///     whole:   identity ─▶ page 0 ─▶ … ─▶ page n ─▶ complete
///     records: record header ─▶ identity | page | skipped ─▶ record header …
///     either:  anything wrong ─▶ failed, and every later write fails the same way
struct StateLoader {
    private let profile: DeviceProfile
    private let layout: PageLayout
    private var phase = Phase.start
    /// The small fixed thing that is being collected.
    private var collected: [UInt8] = []
    private var acceptedByteCount: UInt64 = 0
    /// The pages of a whole state, which are loaded when it is complete.
    private var keys: [UInt64] = []
    private var hasIdentity = false
    private var isCorrupt = false

    private enum Phase {
        /// Before the identity of a whole state, or a record header.
        case start
        /// Before the match header of a record stream.
        case identity
        case pageNumber(payloadByteCount: Int)
        case page(Int, PageReader)
        /// An optional record that nobody here knows.
        case skipping(Int)
        case complete
        case failed(Errno, inHeader: Bool)
    }

    init(_ profile: DeviceProfile, _ layout: PageLayout) {
        self.profile = profile
        self.layout = layout
    }

    /// Takes bytes from the front of a buffer, at most one transfer of them, and says how many.
    ///
    /// The pages of records go straight into `content`.
    mutating func write(
        _ buffer: UnsafeRawBufferPointer,
        _ content: inout SimulatedContent
    ) throws(Errno) -> Int {
        if case .failed(let errno, _) = phase { throw errno }
        if !hasRecords {
            let limit = UInt64(StreamFormat.identityByteCount) + layout.stateByteCount
            // As mtty has it: of a write that goes beyond the end nothing is taken.
            if acceptedByteCount + UInt64(buffer.count) > limit { throw .noMemory }
        }
        let limit = min(buffer.count, profile.transferByteCount)
        var done = 0
        while done < limit {
            done += try unsafe step(
                UnsafeRawBufferPointer(rebasing: buffer[done..<limit]),
                &content
            )
        }
        acceptedByteCount += UInt64(done)
        return done
    }

    /// RESUMING→STOP: what the device holds from now on, or nil when that stays as it is.
    func finish() throws(Errno) -> SimulatedContent? {
        // Blind drivers took what came as it came, and miss nothing.
        guard let truncation = profile.checks.truncation else { return nil }
        switch phase {
        case .complete: break
        case .failed(_, inHeader: true) where profile.checks.forgetsBadHeader: return nil
        default: throw truncation
        }
        if isCorrupt, case .atLoad(let errno) = profile.checks.payload { throw errno }
        return SimulatedContent(keys: keys, layout: layout)
    }

    private var hasRecords: Bool {
        if case .records = profile.format { true } else { false }
    }

    private mutating func step(
        _ buffer: UnsafeRawBufferPointer,
        _ content: inout SimulatedContent
    ) throws(Errno) -> Int {
        switch phase {
        case .start where hasRecords:
            try unsafe collect(StreamFormat.recordHeaderByteCount, buffer) { loader throws(Errno) in
                try loader.didReadRecordHeader()
            }
        case .start, .identity:
            try unsafe collect(StreamFormat.identityByteCount, buffer) { loader throws(Errno) in
                try loader.didReadIdentity()
            }
        case .pageNumber(let payloadByteCount):
            try unsafe collect(StreamFormat.pageNumberByteCount, buffer) { loader throws(Errno) in
                try loader.didReadPageNumber(payloadByteCount: payloadByteCount)
            }
        case .page(let page, var reader):
            try unsafe take(buffer, &reader, page, &content)
        case .skipping(let byteCount):
            unsafe skip(buffer, byteCount)
        case .complete:
            throw .noMemory
        case .failed(let errno, _):
            throw errno
        }
    }

    /// Collects a fixed number of bytes, then calls `completion` with them collected.
    private mutating func collect(
        _ byteCount: Int,
        _ buffer: UnsafeRawBufferPointer,
        _ completion: (inout Self) throws(Errno) -> Void
    ) throws(Errno) -> Int {
        let count = min(buffer.count, byteCount - collected.count)
        unsafe collected.append(contentsOf: buffer[..<count])
        if collected.count == byteCount {
            try completion(&self)
            collected.removeAll(keepingCapacity: true)
        }
        return count
    }

    private mutating func didReadIdentity() throws(Errno) {
        guard collected == StreamFormat.identity(of: profile, layout) else {
            throw fail(profile.checks.header, inHeader: true)
        }
        hasIdentity = true
        phase = hasRecords ? .start : page(0)
    }

    private mutating func didReadRecordHeader() throws(Errno) {
        let payloadByteCount: UInt64 = StreamFormat.number(collected[..<8])
        let flags: UInt32 = StreamFormat.number(collected[8..<12])
        let tag: UInt32 = StreamFormat.number(collected[12...])
        let limit = StreamFormat.pageNumberByteCount + 2 * layout.pageByteCount
        guard payloadByteCount <= UInt64(limit) else { throw fail(.noMemory, inHeader: true) }
        switch (StreamFormat.Tag(rawValue: tag), Int(payloadByteCount)) {
        case (.identity, StreamFormat.identityByteCount):
            phase = .identity
        case (.page, let byteCount) where hasIdentity:
            phase = .pageNumber(payloadByteCount: byteCount)
        case (.page, _), (.identity, _):
            throw fail(profile.checks.header, inHeader: true)
        case (_, let byteCount) where flags & StreamFormat.optionalFlag != 0:
            phase = byteCount == 0 ? .start : .skipping(byteCount)
        default:
            throw fail(.notSupported, inHeader: true)
        }
    }

    private mutating func didReadPageNumber(payloadByteCount: Int) throws(Errno) {
        let number: UInt64 = StreamFormat.number(collected)
        guard number < UInt64(layout.pageCount),
            payloadByteCount
                == StreamFormat.pageNumberByteCount + layout.byteCount(ofPage: Int(number))
        else { throw fail(profile.checks.header, inHeader: true) }
        phase = page(Int(number))
    }

    private mutating func take(
        _ buffer: UnsafeRawBufferPointer,
        _ reader: inout PageReader,
        _ page: Int,
        _ content: inout SimulatedContent
    ) throws(Errno) -> Int {
        let count = unsafe reader.take(buffer)
        guard reader.isComplete else {
            phase = .page(page, reader)
            return count
        }
        if !reader.isIntact {
            if case .atWrite(let errno) = profile.checks.payload {
                throw fail(errno, inHeader: false)
            }
            isCorrupt = true
        }
        if hasRecords {
            content.replace(page: page, key: reader.identity)
            phase = .start
        } else {
            keys.append(reader.identity)
            phase = page + 1 == layout.pageCount ? .complete : self.page(page + 1)
        }
        return count
    }

    private mutating func skip(_ buffer: UnsafeRawBufferPointer, _ byteCount: Int) -> Int {
        let count = min(buffer.count, byteCount)
        phase = count == byteCount ? .start : .skipping(byteCount - count)
        return count
    }

    private func page(_ number: Int) -> Phase {
        .page(number, PageReader(byteCount: layout.byteCount(ofPage: number)))
    }

    /// No byte is taken any more.
    private mutating func fail(_ errno: Errno, inHeader: Bool) -> Errno {
        phase = .failed(errno, inHeader: inHeader)
        return errno
    }
}
