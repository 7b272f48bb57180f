import APISchema
import Dispatch
import JSONCoding
import JobEngine
import MigrationCore
import Testing

@testable import ManagementAPI

@Suite("The content of images")
struct ImageContentTests {
    private let source: EngineUnderTest
    private let target: EngineUnderTest

    init() throws {
        source = try EngineUnderTest("mlx5:count=2,state=3MiB,seed=7")
        target = try EngineUnderTest("mlx5:count=2,state=3MiB") {
            $0.spareImageByteCount = 0
            $0.uploadLimit = 2
            $0.verificationLimit = 1
            $0.downloadLimit = 1
            $0.imageByteLimit = 64 << 20
        }
    }

    /// Saves a device under a name, and returns the archive of its image.
    private func save(_ id: String, after: String = "run") async throws -> [UInt8] {
        let body = """
            {"kind":"save","id":"\(id)","after":"\(after)","devices":[{"source":"sim-0"}]}
            """
        try await run(source, body)
        return try #require(try await source.drain(content(of: source, id)))
    }

    private func content(
        of engine: EngineUnderTest,
        _ id: String = "a",
        _ headers: [(name: String, value: String)] = []
    ) async throws -> APIResponse {
        try await engine.ask("GET", "/v1/images/\(id)/content", headers: headers)
    }

    @discardableResult
    private func run(_ engine: EngineUnderTest, _ body: String) async throws -> JobDTO {
        var job = try await engine.ask(
            "POST",
            "/v1/jobs",
            body: body,
            for: JobDTO.self,
            status: 202
        )
        while job.finishedAt == nil {
            job = try await engine.ask(
                "GET",
                "/v1/jobs/\(job.id)",
                "after_generation=\(job.generation)&wait=20",
                for: JobDTO.self
            )
        }
        #expect(job.state == "succeeded")
        return job
    }

    @Test("an image is downloaded, uploaded to another host, and restored there as a copy")
    func roundTrip() async throws {
        let archive = try await save("a")
        let created = try await target.upload(archive, as: "a")
        #expect(created.status == 201)
        #expect(created.header("Location") == "/v1/images/a")
        let image = try JSONReader.decode(
            ImageDTO.self,
            from: created.body,
            unknownFields: .refuse
        )
        let original = try await source.ask("GET", "/v1/images/a", for: ImageDTO.self)
        #expect(image.members == original.members)
        #expect(image.uploadedAt != nil)
        #expect(original.uploadedAt == nil)
        #expect(image.sourceResumed)
        #expect(try await target.ask("GET", "/v1/images/a", for: ImageDTO.self) == image)
        #expect(try await target.drain(content(of: target)) == archive)

        let restore = #"{"kind":"restore","image":"a","devices":[{"target":"sim-0"}],"#
        let refused = try await target.ask(
            "POST",
            "/v1/jobs",
            body: restore + #""discard_target_content":true}"#
        )
        #expect(try target.problem(of: refused).code == "copy-not-accepted")
        try await run(
            target,
            restore + #""discard_target_content":true,"accept_copy":true}"#
        )
        let device = try #require(DeviceID("sim-0"))
        let restored = try target.engine.device(device).record.simulation?.contentDigest
        #expect(try source.engine.device(device).record.simulation?.contentDigest == restored)
    }

    @Test("an image whose source was stopped for it is a copy all the same where it was uploaded")
    func stoppedSource() async throws {
        let archive = try await save("a", after: "stop")
        #expect(!(try await source.ask("GET", "/v1/images/a", for: ImageDTO.self).sourceResumed))
        #expect(try await target.upload(archive, as: "a").status == 201)
        #expect(try await target.ask("GET", "/v1/images/a", for: ImageDTO.self).sourceResumed)
    }

    @Test("a download says what it is, and the same bytes each time")
    func headers() async throws {
        let archive = try await save("a")
        let response = try await content(of: source)
        #expect(response.status == 200)
        #expect(response.header("Content-Type") == "application/x-tar")
        #expect(response.header("Accept-Ranges") == "bytes")
        #expect(response.header("Content-Disposition") == #"attachment; filename="a.tar""#)
        let tag = try #require(response.header("ETag"))
        #expect(tag.hasPrefix("\"") && tag.hasSuffix("\"") && tag.utf8.count == 66)
        #expect(try await source.drain(response, by: 1 << 20) == archive)
        #expect(try await content(of: source).header("ETag") == tag)
        let head = try await source.ask("HEAD", "/v1/images/a/content")
        guard case .streamed(let body) = head.content else { throw Problem(.internalError, "") }
        #expect(body.byteCount == UInt64(archive.count))
        body.didEnd()
    }

    @Test("ranges are given as RFC 9110 has them")
    func ranges() async throws {
        let archive = try await save("a")
        let count = archive.count
        let tag = try #require(try await content(of: source).header("ETag"))
        let parts: [(String, Range<Int>)] = [
            ("bytes=0-0", 0..<1), ("bytes=0-", 0..<count), ("bytes=1000-", 1000..<count),
            ("bytes=511-1025", 511..<1026), ("Bytes=5-5", 5..<6),
            ("bytes=\(count - 1)-\(count + 50)", (count - 1)..<count),
            ("bytes=-1024", (count - 1024)..<count), ("bytes=-\(count * 2)", 0..<count),
            ("bytes=7-18446744073709551615", 7..<count),
        ]
        for (text, part) in parts {
            let headers = [("range", text), ("if-range", tag)]
            let response = try await content(of: source, "a", headers)
            #expect(response.status == 206, "\(text)")
            let told = "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(count)"
            #expect(response.header("Content-Range") == told)
            #expect(response.header("ETag") == tag)
            #expect(try await source.drain(response, by: 65_536) == Array(archive[part]))
        }
        let wholes = [
            "bytes=0-1,5-6", "bytes=5-4", "bytes=a-b", "bytes=", "bytes=-", "items=0-1",
            "bytes=1-2-3", "bytes=18446744073709551616-", "bytes=+1-2",
        ]
        for text in wholes {
            let response = try await content(of: source, "a", [("range", text)])
            #expect(response.status == 200, "\(text)")
            #expect(try await source.drain(response, by: 1 << 20)?.count == count)
        }
        let other = [("range", "bytes=0-0"), ("if-range", "\"other\"")]
        #expect(try await content(of: source, "a", other).status == 200)
        for text in ["bytes=\(count)-", "bytes=-0", "bytes=\(count + 1)-\(count + 2)"] {
            let response = try await content(of: source, "a", [("range", text)])
            #expect(response.status == 416, "\(text)")
            #expect(response.header("Content-Range") == "bytes */\(count)")
            #expect(try source.problem(of: response).sizeBytes == Int64(count))
        }
    }

    @Test("a download goes on when its image is deleted")
    func deletedMeanwhile() async throws {
        let archive = try await save("a")
        let response = try await content(of: source)
        #expect(try await source.ask("DELETE", "/v1/images/a").status == 204)
        #expect(try await source.drain(response) == archive)
        #expect(try await content(of: source).status == 404)
    }

    @Test("one download too many is refused until another ends")
    func downloadLimit() async throws {
        let archive = try await save("a")
        #expect(try await target.upload(archive, as: "a").status == 201)
        let first = try await content(of: target)
        #expect(first.status == 200)
        let second = await target.answer(
            to: APIRequest(
                method: "GET",
                rawPath: "/v1/images/a/content",
                rawQuery: nil,
                headers: [],
                body: [],
                caller: .anonymousLoopback
            )
        )
        #expect(try target.problem(of: second).code == "overloaded")
        #expect(try await target.drain(first)?.count == archive.count)
    }

    /// Uploads the first bytes of an archive and vanishes.
    private func breakOff(_ archive: [UInt8], after count: Int, as id: String) async throws {
        guard case .stream(let sink as UploadSink, _) = target.handling(id) else {
            throw Problem(.internalError, "It is not streamed.")
        }
        #expect(await target.feed(Array(archive[..<count]), to: sink) == nil)
        let busy = try await target.upload(archive, as: id)
        #expect(try target.problem(of: busy).code == "image-busy")
        sink.abandon()
        sink.queue.sync {}
    }

    @Test("an upload that breaks off goes on where it ended, and is an image only then")
    func resumed() async throws {
        let archive = try await save("a")
        let half = archive.count / 2
        try await breakOff(archive, after: half, as: "a")
        let told = try target.problem(of: try await target.ask("GET", "/v1/images/a"))
        #expect(told.code == "image-not-ready")
        #expect(told.receivedBytes == Int64(half))
        #expect(told.sizeBytes == Int64(archive.count))
        let again = try await content(of: target)
        #expect(try target.problem(of: again).receivedBytes == Int64(half))
        let list = try await target.ask("GET", "/v1/images", for: PageDTO<ImageDTO>.self)
        #expect(list.items.isEmpty)

        let last = archive.count - 1
        for wrong in ["\(half - 1)-\(last)/\(archive.count)", "1-\(last + 1)/\(archive.count + 1)"]
        {
            let refused = try await target.upload(
                [],
                as: "a",
                [("content-range", "bytes \(wrong)")]
            )
            let problem = try target.problem(of: refused)
            #expect(problem.code == "upload-offset")
            #expect(problem.receivedBytes == Int64(half))
        }
        let rest = Array(archive[half...])
        let range = [("content-range", "bytes \(half)-\(last)/\(archive.count)")]
        #expect(try await target.upload(rest, as: "a", range).status == 201)
        #expect(try await target.drain(content(of: target)) == archive)
        let exists = try await target.upload(archive, as: "a")
        #expect(try target.problem(of: exists).code == "image-exists")
    }

    @Test("what broke off is removed by DELETE, and by an upload from the first byte on")
    func discarded() async throws {
        let archive = try await save("a")
        try await breakOff(archive, after: archive.count - 1, as: "a")
        #expect(try await target.ask("DELETE", "/v1/images/a").status == 204)
        #expect(try await target.ask("GET", "/v1/images/a").status == 404)
        try await breakOff(archive, after: archive.count / 3, as: "a")
        #expect(try await target.upload(archive, as: "a").status == 201)
    }

    @Test("no more images come in at once than are let")
    func uploadLimit() async throws {
        let archive = try await save("a")
        var sinks: [any RequestBodySink] = []
        for id in ["b", "c"] {
            guard case .stream(let sink, _) = target.handling(id) else { break }
            sinks.append(sink)
            #expect(try await target.ask("DELETE", "/v1/images/\(id)").status == 409)
        }
        #expect(sinks.count == 2)
        let full = try await target.upload(archive, as: "a")
        #expect(full.status == 503)
        #expect(full.header("Retry-After") == "60")
        #expect(try target.problem(of: full).reasons?.count == 2)
        for sink in sinks {
            sink.abandon()
            (sink as? UploadSink)?.queue.sync {}
        }
        #expect(try await target.upload(archive, as: "a").status == 201)
    }

    @Test("wrong content is refused while it comes, and nothing remains")
    func corrupt() async throws {
        var archive = try await save("a")
        archive[archive.count / 2] ^= 1
        let refused = try await target.upload(archive, as: "a")
        #expect(refused.status == 422)
        let problem = try target.problem(of: refused)
        #expect(problem.code == "image-corrupt")
        #expect(problem.detail.contains("content has SHA-256"))
        #expect(problem.instance == "/v1/images/a/content")
        #expect(try await target.ask("GET", "/v1/images/a").status == 404)
        archive[archive.count / 2] ^= 1
        let other = try await target.upload(archive, as: "b")
        #expect(try target.problem(of: other).detail.contains("is of another image"))
        #expect(try await target.upload(archive, as: "a", []).status == 201)
    }

    @Test("what the head of an upload gets wrong is refused before its body")
    func heads() async throws {
        let cases: [(headers: [(name: String, value: String)], code: String)] = [
            ([("content-type", "text/plain")], "unsupported-media-type"),
            ([("content-length", "\(65 << 20)")], "payload-too-large"),
            ([("content-range", "bytes 0-9/\(65 << 20)")], "bad-request"),
            ([("content-range", "bytes 0-\((65 << 20) - 1)/\(65 << 20)")], "payload-too-large"),
            ([("content-range", "bytes 5-9/*")], "bad-request"),
            ([("content-range", "bytes */10")], "bad-request"),
            ([("content-range", "bytes 9-5/10")], "bad-request"),
            ([("content-range", "bytes 5-10/10")], "bad-request"),
            ([("content-range", "items 0-9/10")], "bad-request"),
            ([("content-range", "bytes 5-9/10"), ("content-length", "4")], "bad-request"),
            ([("content-range", "bytes 5-9/10"), ("content-length", "5")], "upload-offset"),
        ]
        for (headers, code) in cases {
            guard case .refuse(let response) = target.handling("a", headers) else {
                Issue.record("\(headers) is let in")
                continue
            }
            #expect(try target.problem(of: response).code == code, "\(headers)")
        }
        guard case .refuse(let response) = target.handling("no%20name") else {
            throw Problem(.internalError, "It is let in.")
        }
        #expect(response.status == 404)
    }

    @Test("an image is verified where it lies")
    func verified() async throws {
        _ = try await save("a")
        let report = try await source.ask(
            "POST",
            "/v1/images/a/verify",
            for: ImageVerificationDTO.self
        )
        let image = try await source.ask("GET", "/v1/images/a", for: ImageDTO.self)
        #expect(report.image == "a")
        #expect(report.members.map(\.sha256) == image.members.map(\.sha256))
        #expect(report.sizeBytes == image.sizeBytes)
        #expect(try await source.ask("POST", "/v1/images/b/verify").status == 404)
        try source.damage("images/a/content")
        let damaged = try await source.ask("POST", "/v1/images/a/verify")
        #expect(damaged.status == 422)
        let problem = try source.problem(of: damaged)
        #expect(problem.code == "image-corrupt")
        #expect(problem.detail.contains("content has SHA-256"))
    }
}
