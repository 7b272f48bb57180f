/// The saving side of a stream: what is still to be read from the device.
///
/// A page's content is taken at the moment its first byte is read, and a page that changes after
/// that is due again.
struct StateSource {
    private let profile: DeviceProfile
    private let layout: PageLayout
    /// Bytes that stand before the next page.
    private var prefix: [UInt8]
    private var prefixOffset = 0
    /// The page that is being read, its key when that began, and how far it is.
    private var page: (key: UInt64, byteCount: Int, offset: Int)?
    /// Pages of the present snapshot that are not read yet.
    private var due: PageSet
    /// Pages that changed and belong to no snapshot yet.
    private var changed: PageSet
    private var stage = Stage.initial
    /// When the present snapshot was taken.
    private var snapshotNanoseconds: UInt64

    private enum Stage {
        /// The first snapshot of a pre-copy: what PRECOPY_INFO calls initial.
        case initial
        /// A later one.
        case incremental
        /// STOP_COPY: nothing changes any more, and the end is the end.
        case final
    }

    /// A stream that a pre-copy state opens.
    init(preCopyOf profile: DeviceProfile, _ layout: PageLayout, at nanoseconds: UInt64) {
        self.profile = profile
        self.layout = layout
        self.due = PageSet(pageCount: layout.pageCount)
        self.changed = PageSet(pageCount: layout.pageCount)
        self.snapshotNanoseconds = nanoseconds
        let identity = StreamFormat.identity(of: profile, layout)
        guard case .records = profile.format else {
            prefix = identity
            return
        }
        due.insertAll()
        prefix =
            StreamFormat.recordHeader(payloadByteCount: identity.count, .identity) + identity
            + StreamFormat.recordHeader(payloadByteCount: 8, isOptional: true, .stopCopySize)
            + StreamFormat.bytes(layout.stateByteCount)
    }

    /// A stream that STOP_COPY opens.
    init(stopCopyOf profile: DeviceProfile, _ layout: PageLayout) {
        self.init(preCopyOf: profile, layout, at: 0)
        stopCopy()
    }

    /// The device went from a pre-copy state to STOP_COPY: what is left is due now.
    mutating func stopCopy() {
        if hasRecords {
            due.formUnion(changed)
        } else {
            due.insertAll()
        }
        changed.removeAll()
        stage = .final
    }

    var isFinal: Bool { stage == .final }

    /// The device's user wrote pages: the writes of these numbers.
    mutating func didWrite(from first: UInt64, count: UInt64) {
        guard hasRecords, !isFinal else { return }
        for write in first..<first + min(count, UInt64(layout.pageCount)) {
            let page = layout.page(ofWrite: write)
            if !due.contains(page) { changed.insert(page) }
        }
    }

    /// What PRECOPY_INFO answers.
    var info: (initial: UInt64, dirty: UInt64) {
        stage == .initial
            ? (dueByteCount, byteCount(of: changed))
            : (0, dueByteCount + byteCount(of: changed))
    }

    /// What PRECOPY_INFO sets off: with the last snapshot read, the next one is taken.
    ///
    /// Within the driver's interval it is not, and the changed pages stay out of its answer.
    mutating func takeSnapshot(at nanoseconds: UInt64) -> (initial: UInt64, dirty: UInt64) {
        guard case .records(let interval) = profile.format, !isFinal else { return info }
        guard dueByteCount == 0 else { return info }
        let elapsed = Duration.nanoseconds(Int64(clamping: nanoseconds - snapshotNanoseconds))
        guard elapsed >= interval else { return (0, 0) }
        swap(&due, &changed)
        stage = .incremental
        snapshotNanoseconds = nanoseconds
        return info
    }

    /// The bytes that would still come if the device stopped now.
    var remainingByteCount: UInt64 {
        guard !hasRecords, !isFinal else { return dueByteCount + byteCount(of: changed) }
        return dueByteCount + layout.stateByteCount
    }

    /// Reads what is due, at most one transfer of it; 0 when nothing is.
    mutating func read(
        into buffer: UnsafeMutableRawBufferPointer,
        _ content: borrowing SimulatedContent
    ) -> Int {
        let limit = min(buffer.count, profile.transferByteCount)
        var done = 0
        while done < limit {
            if prefixOffset < prefix.count {
                let count = min(limit - done, prefix.count - prefixOffset)
                unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count])
                    .copyBytes(from: prefix[prefixOffset..<prefixOffset + count])
                prefixOffset += count
                done += count
            } else if let (key, byteCount, offset) = page {
                let count = min(limit - done, byteCount - offset)
                unsafe PagePattern.fill(
                    UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count]),
                    from: offset,
                    key: key
                )
                page = offset + count == byteCount ? nil : (key, byteCount, offset + count)
                done += count
            } else if let next = due.removeFirst() {
                begin(next, key: content.key(ofPage: next))
            } else {
                break
            }
        }
        return done
    }

    private mutating func begin(_ next: Int, key: UInt64) {
        changed.remove(next)
        let byteCount = layout.byteCount(ofPage: next)
        page = (key, byteCount, 0)
        guard hasRecords else { return }
        prefix =
            StreamFormat.recordHeader(
                payloadByteCount: StreamFormat.pageNumberByteCount + byteCount,
                .page
            ) + StreamFormat.bytes(UInt64(next))
        prefixOffset = 0
    }

    private var hasRecords: Bool {
        if case .records = profile.format { true } else { false }
    }

    private var dueByteCount: UInt64 {
        let begun = page.map { $0.byteCount - $0.offset } ?? 0
        return UInt64(prefix.count - prefixOffset + begun) + byteCount(of: due)
    }

    /// What the pages of a set take in the stream.
    private func byteCount(of pages: PageSet) -> UInt64 {
        let last = layout.pageCount - 1
        let overhead = hasRecords ? StreamFormat.pageOverheadByteCount : 0
        let excess =
            pages.contains(last) ? layout.byteCount(ofPage: last) - layout.pageByteCount : 0
        return UInt64(pages.count * (layout.pageByteCount + overhead) + excess)
    }
}
