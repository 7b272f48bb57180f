internal import APISchema
internal import MigrationCore

/// What an event of the stream is about.
enum EventType: String, CaseIterable, Sendable {
    case jobChanged = "job.changed"
    case sessionChanged = "session.changed"
    case imageChanged = "image.changed"
    case imageDeleted = "image.deleted"
    case deviceAlert = "device.alert"
    case deviceChanged = "device.changed"
    case deviceGone = "device.gone"
    case ready
    case gap
}

extension EventDTO {
    init(_ event: Event, id: EventID) {
        self.init(id: id.text, type: event.topic.type.rawValue, at: event.at.rfc3339)
        switch event.topic {
        case .jobChanged(let job, let generation, let state, let phase):
            self.job = job.text
            self.generation = Int64(clamping: generation)
            self.state = state
            self.phase = phase?.rawValue
        case .sessionChanged(let session, let device, let status, let content):
            self.session = session.text
            self.device = device.text
            self.status = status
            self.content = content.rawValue
        case .imageChanged(let image, _): self.image = image.text
        case .deviceAlert(let device, let alert):
            self.device = device.text
            self.alert = alert
        case .deviceChanged(let device), .deviceGone(let device): self.device = device.text
        }
    }
}

extension Event.Topic {
    fileprivate var type: EventType {
        switch self {
        case .jobChanged: .jobChanged
        case .sessionChanged: .sessionChanged
        case .imageChanged(_, let exists): exists ? .imageChanged : .imageDeleted
        case .deviceAlert: .deviceAlert
        case .deviceChanged: .deviceChanged
        case .deviceGone: .deviceGone
        }
    }
}
