import Glibc

/// How many files this process may have open.
enum DescriptorLimit {
    /// Raises the limit to what the system allows, and says how many that is.
    ///
    /// Nothing here uses `select`, which is what the lower one is for.
    static func raise() -> Int {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard unsafe getrlimit(resource, &limit) == 0 else { return 1024 }
        var raised = limit
        raised.rlim_cur = limit.rlim_max
        let isRaised = unsafe setrlimit(resource, &raised) == 0
        return Int(clamping: isRaised ? raised.rlim_cur : limit.rlim_cur)
    }

    /// The connections each of so many listeners can have beside everything else.
    static func connections(of descriptorCount: Int, listenerCount: Int) -> Int {
        max(16, (descriptorCount - reserve) / max(1, listenerCount))
    }

    /// What devices, jobs, images and the store need.
    private static let reserve = 512
}
