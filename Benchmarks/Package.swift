// swift-tools-version: 6.2
import PackageDescription

// A package of its own: it drives the real ferryd from outside, as users do, and nothing of it is
// ever linked into Ferry. Its C programs are what Ferry is measured against.

let package = Package(
    name: "ferry-benchmarks",
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2")
    ],
    targets: [
        .executableTarget(
            name: "bare-server",
            linkerSettings: [.linkedLibrary("microhttpd"), .linkedLibrary("jansson")]
        ),
        .executableTarget(name: "c-pump", linkerSettings: [.linkedLibrary("gnutls")]),
        .executableTarget(name: "http-load"),
        .executableTarget(name: "crowd"),
        .executableTarget(
            name: "ferry-bench",
            dependencies: [.product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: [
                .swiftLanguageMode(.v6),
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("MemberImportVisibility"),
            ]
        ),
    ]
)
