/// What `bind` takes.
package struct BindRequestDTO: Hashable, Sendable, Codable {
    /// The driver of VFIO; the candidate's when left out.
    package var driver: String?
    /// Whether dangers to the host are accepted.
    package var force: Bool?

    package init(driver: String? = nil, force: Bool? = nil) {
        self.driver = driver
        self.force = force
    }
}

/// What `unbind` takes.
package struct UnbindRequestDTO: Hashable, Sendable, Codable {
    /// The driver of the host; the one the kernel finds when left out.
    package var driver: String?
    /// Whether dangers to the host are accepted.
    package var force: Bool?

    package init(driver: String? = nil, force: Bool? = nil) {
        self.driver = driver
        self.force = force
    }
}

/// The virtual functions a physical one is to have.
package struct VirtualFunctionsDTO: Hashable, Sendable, Codable {
    package let count: Int
    /// Whether the kernel looks for a driver of the host for those that come.
    package var autoprobe: Bool?
    /// Whether dangers to the host are accepted.
    package var force: Bool?

    package init(count: Int, autoprobe: Bool? = nil, force: Bool? = nil) {
        self.count = count
        self.autoprobe = autoprobe
        self.force = force
    }
}

/// A type of mediated devices that can be made.
package struct MediatedTypeDTO: Hashable, Sendable, Codable {
    package let parent: String
    package let type: String
    /// For people.
    package var name: String?
    package var deviceAPI: String?
    /// How many more can be made.
    package var availableInstances: Int?
    package var description: String?

    package init(parent: String, type: String) {
        self.parent = parent
        self.type = type
    }
}

/// A mediated device that is to be made.
package struct MediatedRequestDTO: Hashable, Sendable, Codable {
    package let parent: String
    package let type: String
    /// Made up when left out.
    package var uuid: String?

    package init(parent: String, type: String, uuid: String? = nil) {
        self.parent = parent
        self.type = type
        self.uuid = uuid
    }
}
