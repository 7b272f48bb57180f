import MigrationCore
import Testing

@Suite("Times are read as RFC 3339 writes them")
struct TimestampReadingTests {
    @Test("what a timestamp writes is read as that timestamp", arguments: 0..<500)
    func roundTrip(_ seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let written: ClosedRange<Int64> = -62_167_219_200_000...253_402_300_799_999
        let time = Timestamp(millisecondsSinceEpoch: .random(in: written, using: &random))
        #expect(Timestamp(rfc3339: time.rfc3339) == time)
    }

    @Test("the ends of the calendar")
    func ends() {
        for text in [
            "0000-01-01T00:00:00.000Z", "0000-02-29T12:00:00.000Z", "1970-01-01T00:00:00.000Z",
            "2000-02-29T23:59:59.999Z", "9999-12-31T23:59:59.999Z",
        ] {
            #expect(Timestamp(rfc3339: text)?.rfc3339 == text)
        }
    }

    @Test("offsets, fractions and a leap second")
    func forms() {
        let same = [
            "2026-11-23T07:50:53Z", "2026-11-23t07:50:53z", "2026-11-23T07:50:53.0Z",
            "2026-11-23T07:50:53.0009Z", "2026-11-23T09:20:53+01:30", "2026-11-22T23:50:53-08:00",
        ]
        for text in same {
            #expect(Timestamp(rfc3339: text)?.rfc3339 == "2026-11-23T07:50:53.000Z", "\(text)")
        }
        #expect(
            Timestamp(rfc3339: "2026-11-23T07:50:53.1239Z")?.rfc3339 == "2026-11-23T07:50:53.123Z"
        )
        #expect(Timestamp(rfc3339: "2016-12-31T23:59:60Z")?.rfc3339 == "2017-01-01T00:00:00.000Z")
    }

    @Test(
        "what is no time is none",
        arguments: [
            "", "2026-11-23", "2026-11-23T07:50:53", "2026-11-23 07:50:53Z", "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-04-31T00:00:00Z",
            "2026-11-00T00:00:00Z", "2026-11-23T24:00:00Z", "2026-11-23T07:60:53Z",
            "2026-11-23T07:50:61Z", "2026-11-23T07:50:53.Z", "2026-11-23T07:50:53+0200",
            "2026-11-23T07:50:53+24:00", "2026-11-23T07:50:53ZZ", "+026-11-23T07:50:53Z",
            "2026-11-23T07:50:53,5Z",
        ]
    )
    func none(_ text: String) { #expect(Timestamp(rfc3339: text) == nil) }
}
