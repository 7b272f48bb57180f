internal import APISchema
internal import JobEngine
internal import MigrationCore

/// The content of images as one archive, which is the same bytes each time.
extension ManagementAPI {
    func getImageContent(_ call: Call) throws(Problem) -> Outcome {
        let id: ImageID = try call.id(of: "image")
        let (range, ifRange) = (call.header("range"), call.header("if-range"))
        return .blocking { [engine] () throws(Problem) in
            let download = try engine.download(id)
            let tag = "\"\(download.tag)\""
            let asked = ByteRange(range, ifRange: ifRange, tag: tag, of: download.byteCount)
            var headers = Self.archiveHeaders(id, tag)
            switch asked {
            case .whole:
                let body = ArchiveBody(download, 0..<download.byteCount)
                return APIResponse(status: 200, headers: headers, streaming: body)
            case .part(let part):
                let place = "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(download.byteCount)"
                headers.append(("Content-Range", place))
                let body = ArchiveBody(download, part)
                return APIResponse(status: 206, headers: headers, streaming: body)
            case .unsatisfiable:
                var facts = Problem.Facts()
                facts.image = id
                facts.byteCount = download.byteCount
                throw Problem(
                    .rangeNotSatisfiable,
                    "The archive of image \(id) has \(download.byteCount) bytes.",
                    facts
                )
            }
        }
    }

    func verifyImage(_ call: Call) throws(Problem) -> Outcome {
        let id: ImageID = try call.id(of: "image")
        return .elsewhere { [engine] answer throws(Problem) in
            try engine.verifyImage(id) { result in
                answer { () throws(Problem) in
                    try .document(ImageVerificationDTO(result.get()))
                }
            }
        }
    }

    private static func archiveHeaders(
        _ id: ImageID,
        _ tag: String
    ) -> [(name: String, value: String)] {
        [
            ("Content-Type", "application/x-tar"), ("Cache-Control", "no-store"), ("ETag", tag),
            ("Accept-Ranges", "bytes"),
            ("Content-Disposition", "attachment; filename=\"\(id.text).tar\""),
        ]
    }
}
