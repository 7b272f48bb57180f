/// A device ferryd holds, or held, open and bound.
package struct SessionDTO: Hashable, Sendable, Codable {
    package let id: String
    package let device: String
    /// `opened`, `adopted` or `simulated`.
    package let origin: String
    /// `open`, `collected`, `closed` or `lost`.
    package let status: String
    /// `empty`, `live`, `loaded` or `lost`.
    package let content: String
    /// Whether a simulation's seed makes the content again, so that overwriting it loses nothing.
    package let reproducible: Bool
    package let openedAt: String
    package let closedAt: String?
    /// Why it ended, or what happened to its content.
    package let note: String?
    /// Bytes of the sidecar its user left; absent when there is none.
    package var sidecarBytes: Int64?

    package init(
        id: String,
        device: String,
        origin: String,
        status: String,
        content: String,
        reproducible: Bool,
        openedAt: String,
        closedAt: String?,
        note: String?
    ) {
        self.id = id
        self.device = device
        self.origin = origin
        self.status = status
        self.content = content
        self.reproducible = reproducible
        self.openedAt = openedAt
        self.closedAt = closedAt
        self.note = note
    }
}

/// Asks for a device to be opened and bound.
package struct SessionRequestDTO: Hashable, Sendable, Codable {
    package let device: String
    /// The session whose address space the device joins.
    package let joins: String?

    package init(device: String, joins: String? = nil) {
        self.device = device
        self.joins = joins
    }
}
