internal import JSONCoding
import MigrationCore

/// A record of the store that cannot be read: damaged, or of a version that knew other values.
package struct DamagedRecord: Hashable, Sendable {
    /// `job job-1`, `line 3 of the journal of job job-1`.
    package let record: String
    package let reason: String

    /// The same as a problem, for a read that was for this very record.
    var problem: Problem {
        Problem(.storeFailed, "The store holds \(record), and it cannot be read: \(reason).")
    }
}

/// Core values as the JSON of the `body` columns.
enum RecordText {
    static func encode(_ value: some Encodable, of record: String) throws(Problem) -> String {
        do throws(JSONProblem) {
            return String(decoding: try JSONWriter.encode(value), as: UTF8.self)
        } catch {
            throw Problem(
                .storeFailed,
                "The \(record) cannot be stored: \(error.detail) at \"\(error.pointer)\"."
            )
        }
    }

    /// The value of a body; `text` is nil when the column holds no text.
    ///
    /// Fields that this version does not know are ignored.
    static func decode<Value: Decodable>(
        _ type: Value.Type,
        from text: String?,
        of record: String
    ) -> Result<Value, DamagedRecord> {
        guard let text else {
            return .failure(DamagedRecord(record: record, reason: "it is no text"))
        }
        do throws(JSONProblem) {
            return .success(
                try JSONReader.decode(type, from: Array(text.utf8), unknownFields: .ignore)
            )
        } catch {
            let reason = "\(error.detail) at \"\(error.pointer)\""
            return .failure(DamagedRecord(record: record, reason: reason))
        }
    }
}

extension DamagedRecord: Error {}
