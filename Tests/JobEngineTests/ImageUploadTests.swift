import Foundation
import Glibc
import MigrationCore
import MigrationPorts
import StateTransfer
import SystemIO
import Testing

@testable import JobEngine

@Suite("Images that come in", .timeLimit(.minutes(10)))
struct ImageUploadTests {
    let source: EngineFixture
    let target: EngineFixture
    let id: ImageID

    init() throws {
        source = try EngineFixture("mlx5:state=2MiB")
        target = try EngineFixture([]) {
            $0.spareImageByteCount = 0
            // Rare, so that none covers up a lost wake.
            $0.eventHeartbeatMilliseconds = 3_600_000
        }
        id = try #require(ImageID("a"))
    }

    /// The archive of an image that the source saved.
    private func archive() async throws -> [UInt8] {
        let device = try source.id("sim-0")
        let work = JobSpec.Work.save(sources: [device], after: .run)
        var spec = JobSpec(work: work)
        spec.id = JobID(id)
        #expect(try await source.run(spec).job.state == .succeeded)
        let download = try source.engine.download(id)
        var bytes = [UInt8](repeating: 0, count: Int(download.byteCount))
        let count = try unsafe bytes.withUnsafeMutableBytes { bytes throws in
            try unsafe download.read(into: bytes, at: 0)
        }
        #expect(count == bytes.count)
        return bytes
    }

    private func begin(
        _ engine: Engine,
        from offset: UInt64 = 0,
        of whole: UInt64? = nil
    ) throws -> ImageUpload {
        let upload = try engine.beginUpload(of: id, from: offset, wholeByteCount: whole)
        try upload.open()
        return upload
    }

    private func receive(_ bytes: ArraySlice<UInt8>, _ upload: ImageUpload) throws {
        try unsafe bytes.withUnsafeBytes { bytes throws in try unsafe upload.receive(bytes) }
    }

    private func problem(_ work: () throws -> Void) throws -> Problem {
        try #require(throws: Problem.self) { try work() }
    }

    /// How much there is of the image that comes in.
    private func received(_ engine: Engine) throws -> UInt64? {
        let problem = try problem { _ = try engine.image(id) }
        #expect(problem.code == .imageNotReady || problem.code == .notFound)
        return problem.facts.receivedByteCount
    }

    @Test("an upload goes on after a restart, whether it broke off before or by it")
    func restart() async throws {
        let archive = try await archive()
        for breaksOff in [true, false] {
            let upload = try begin(target.engine)
            try receive(archive[..<(archive.count - 700)], upload)
            if breaksOff { upload.breakOff() }
            try target.restart()
            let offset = try #require(try received(target.engine))
            #expect(offset > 0 && offset <= archive.count - 700)
            let rest = try begin(target.engine, from: offset, of: UInt64(archive.count))
            try receive(archive[Int(offset)...], rest)
            let record = try rest.finish()
            #expect(record.sourceResumed)
            #expect(record.uploadedAt != nil)
            try target.restart()
            #expect(try target.engine.image(id) == record)
            try target.engine.deleteImage(id)
        }
    }

    @Test("a store that fails leaves no image, in the catalogue or on the disk")
    func storeFails() async throws {
        let archive = try await archive()
        let upload = try begin(target.engine)
        try receive(archive[...], upload)
        target.tape.start()
        target.store.plan(.from(1))
        #expect(throws: Problem.self) { try upload.finish() }
        #expect(try problem { _ = try target.engine.image(id) }.code == .notFound)
        #expect(unsafe access("\(target.directory)/images/a", F_OK) != 0)
        #expect(unsafe access("\(target.directory)/images/a~upload", F_OK) != 0)
    }

    @Test("what came is removed when nothing has come for too long, by the next upload")
    func expired() async throws {
        let archive = try await archive()
        let upload = try begin(target.engine)
        try receive(archive[..<(archive.count - 700)], upload)
        upload.breakOff()
        let old = try #require(ImageID("b"))
        try target.age("a~upload", hours: 23)
        try target.restart()
        #expect(try received(target.engine) != nil)
        try target.age("a~upload", hours: 25)
        try target.restart()
        let other = try target.engine.beginUpload(of: old, from: 0, wholeByteCount: nil)
        try other.open()
        other.breakOff()
        #expect(try received(target.engine) == nil)
        #expect(unsafe access("\(target.directory)/images/a~upload", F_OK) != 0)
    }

    @Test("what is over is never removed from under an upload that begins anew")
    func expiredAndBegunAnew() async throws {
        let archive = try await archive()
        let upload = try begin(target.engine)
        try receive(archive[..<(archive.count - 700)], upload)
        upload.breakOff()
        try target.age("a~upload", hours: 25)
        try target.restart()
        let other = try #require(ImageID("b"))
        // Let in, but at the disk only after the other has begun.
        let slow = try target.engine.beginUpload(of: other, from: 0, wholeByteCount: nil)
        let anew = try begin(target.engine)
        try receive(archive[..<9000], anew)
        try slow.open()
        try receive(archive[9000...], anew)
        #expect(try anew.finish().id == id)
        try target.engine.verifyAlone(id)
        slow.breakOff()
    }

    @Test("a leftover that cannot be removed keeps no daemon from starting")
    func stubbornLeftover() throws {
        for name in ["a~upload", "a~upload/inner"] {
            try #require(unsafe mkdir("\(target.directory)/images/\(name)", 0o700) == 0)
        }
        try target.restart()
        let upload = try target.engine.beginUpload(of: id, from: 0, wholeByteCount: nil)
        #expect(try problem { try upload.open() }.code == .storageFailed)
    }

    @Test("nobody begins an upload whose leftovers are being removed")
    func takenToRemove() async throws {
        let archive = try await archive()
        let upload = try begin(target.engine)
        try receive(archive[..<(archive.count - 700)], upload)
        upload.breakOff()
        let left = try #require(try target.engine.imageFiles.upload(of: id))
        let table = UploadTable(limit: 2, hours: 1)
        let part = UploadTable.Part(offset: 0, wholeByteCount: nil)
        let written = left.writtenAt.millisecondsSinceEpoch
        let now = Timestamp(millisecondsSinceEpoch: written + 3_600_001)
        for takesAway in [true, false] {
            table.insert([left])
            if takesAway {
                #expect(try table.takeAway(id))
                #expect(try problem { _ = try table.takeAway(id) }.code == .imageBusy)
            } else {
                #expect(table.takeOver(at: now) == id)
                #expect(table.takeOver(at: now) == nil)
            }
            #expect(try problem { _ = try table.begin(id, part, at: now) }.code == .imageBusy)
            table.end(id)
            _ = try table.begin(id, part, at: now)
            table.end(id)
        }
    }

    @Test("a name is not free before the image that had it is gone")
    func deletionUnderWay() async throws {
        _ = try await archive()
        let engine = source.engine
        #expect(try !engine.uploads.takeAway(id))
        #expect(try problem { try engine.deleteImage(id) }.code == .imageBusy)
        let other = try #require(ImageID("b"))
        #expect(try !engine.uploads.takeAway(other))
        let taken = try problem {
            _ = try engine.beginUpload(of: other, from: 0, wholeByteCount: nil)
        }
        #expect(taken.code == .imageBusy)
        #expect(try problem { _ = try engine.image(other) }.code == .notFound)
        engine.uploads.end(id)
        try engine.deleteImage(id)
        #expect(try problem { try engine.deleteImage(id) }.code == .notFound)
        try begin(engine).breakOff()
    }

    @Test("an image that is deleted under whoever opens it is not there, and not corrupt")
    func deletedMeanwhile() async throws {
        _ = try await archive()
        let record = try source.engine.image(id)
        try source.engine.deleteImage(id)
        #expect(try problem { _ = try source.engine.openFiles(of: record) }.code == .notFound)
    }

    @Test("those who follow events hear of an uploaded image at once, and find it there")
    func told() async throws {
        let archive = try await archive()
        let engine = target.engine
        let subscription = try engine.events.subscribe(from: .now)
        #expect(try await subscription.read().words.hasPrefix("ready"))
        let upload = try begin(engine)
        try receive(archive[...], upload)
        let record = try upload.finish()
        guard case .event(let published) = try await subscription.read() else {
            Issue.record("no event")
            return
        }
        #expect(published.event?.topic == .imageChanged(id, exists: true))
        #expect(try engine.image(id) == record)
    }

    @Test("a save is refused whose image could not have its name")
    func nameOfASave() async throws {
        _ = try await archive()
        let engine = source.engine
        let device = try source.id("sim-0")
        var spec = JobSpec(work: .save(sources: [device], after: .run))
        spec.id = JobID(id)
        let job = try #require(spec.id)
        try engine.deleteJob(job)
        let refusal = { try problem { _ = try engine.submit(spec, requestedBy: "test") } }
        #expect(try refusal().code == .imageExists)
        #expect(engine.check(spec).problems.map(\.code) == [.imageExists])
        try engine.deleteImage(id)
        let upload = try begin(engine)
        #expect(try refusal().code == .imageBusy)
        upload.breakOff()
        #expect(try await source.run(spec).job.state == .succeeded)
    }

    @Test("the name of a job that runs is not free")
    func nameOfAJob() async throws {
        let engine = source.engine
        _ = try await archive()
        let taken = try problem { _ = try begin(engine) }
        #expect(taken.code == .imageExists)
        try engine.deleteImage(id)
        let upload = try begin(engine)
        let busy = try problem { _ = try begin(engine) }
        #expect(busy.code == .imageBusy)
        #expect(try problem { try engine.deleteImage(id) }.code == .imageBusy)
        upload.breakOff()
        #expect(try problem { _ = try engine.image(id) }.code == .notFound)
    }

    @Test("an engine that stops takes no more uploads")
    func stopping() async throws {
        try await awaitCall("the stop") { told in target.engine.stop(losing: []) { _ in told() } }
        #expect(try problem { _ = try begin(target.engine) }.code == .shuttingDown)
    }

    @Test(
        "a disk that is full fails the upload, and nothing remains",
        .enabled(if: SmallDisk.isThere)
    )
    func fullDisk() async throws {
        let archive = try await archive()
        let disk = try SmallDisk(at: "\(target.directory)/images", megabytes: 3)
        try target.restart()
        let upload = try begin(target.engine)
        try receive(archive[..<10_000], upload)
        try disk.fill()
        let problem = try problem { try receive(archive[10_000...], upload) }
        #expect(problem.code == .storageFailed)
        #expect(problem.facts.errno == .noSpace)
        #expect(problem.facts.operation == "write")
        #expect(try received(target.engine) == nil)
        #expect(unsafe access("\(target.directory)/images/a~upload", F_OK) != 0)
        let early = try self.problem { try receive(archive[...], begin(target.engine)) }
        #expect(early.facts.errno == .noSpace)
        #expect(early.facts.operation == "statvfs")
    }
}

extension Engine {
    /// Verifies an image on this thread.
    fileprivate func verifyAlone(_ id: ImageID) throws {
        try imageFiles.open(image(id)).verify()
    }
}

extension EngineFixture {
    /// Sets the time of an upload's files back.
    fileprivate func age(_ upload: String, hours: Int) throws {
        let then = time(nil) - hours * 3600
        let times = [timespec(tv_sec: then, tv_nsec: 0), timespec(tv_sec: then, tv_nsec: 0)]
        for name in ["content", "manifest.json"] {
            let path = "\(directory)/images/\(upload)/\(name)"
            try #require(unsafe utimensat(AT_FDCWD, path, times, 0) == 0)
        }
    }
}

/// A small file system, for those who may mount one.
private final class SmallDisk {
    private let path: String

    init(at path: String, megabytes: Int) throws {
        try #require(Self.run("mount", "-t", "tmpfs", "-o", "size=\(megabytes)M", "tmpfs", path))
        self.path = path
    }

    deinit { _ = Self.run("umount", "-l", path) }

    /// Leaves no byte of it free.
    func fill() throws {
        let file = try FileDescriptor(opening: "\(path)/filler", O_WRONLY | O_CREAT, mode: 0o600)
        let block = [UInt8](repeating: 1, count: 4096)
        let error = #expect(throws: Errno.self) {
            while true { try unsafe block.withUnsafeBytes { try unsafe file.writeAll($0) } }
        }
        #expect(error == .noSpace)
    }

    static let isThere: Bool = {
        guard geteuid() == 0 else { return false }
        let path = NSTemporaryDirectory() + "ferry-disk-\(UUID().uuidString)"
        guard unsafe mkdir(path, 0o700) == 0 else { return false }
        defer { unsafe rmdir(path) }
        return run("mount", "-t", "tmpfs", "tmpfs", path) && run("umount", "-l", path)
    }()

    private static func run(_ command: String...) -> Bool {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = command
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}
