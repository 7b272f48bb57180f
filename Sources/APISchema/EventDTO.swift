/// Something that changed, as the event stream tells it.
package struct EventDTO: Hashable, Sendable, Codable {
    /// `<store>-<sequence>`, never used for another event.
    package let id: String
    /// `job.changed`, `session.changed`, `image.changed`, `image.deleted`, `device.alert`,
    /// `device.changed`, `device.gone`, or `ready` and `gap`, which are about the stream.
    package let type: String
    package let at: String
    package var job: String?
    package var generation: Int64?
    package var state: String?
    package var phase: String?
    package var session: String?
    package var device: String?
    package var status: String?
    package var content: String?
    package var image: String?
    package var alert: String?
    /// With `gap`: the id behind which everything is kept.
    package var oldest: String?

    package init(id: String, type: String, at: String) {
        self.id = id
        self.type = type
        self.at = at
    }
}
