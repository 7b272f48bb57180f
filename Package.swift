// swift-tools-version: 6.2
import PackageDescription

/// House rules every Swift target of ours is compiled with (docs/decisions/0002).
let strict: [SwiftSetting] =
    [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .strictMemorySafety(),
    ]
    // A newer compiler's new warning must not break a user's build; it must break ours.
    + (Context.environment["CI"] == nil ? [] : [.treatAllWarnings(as: .error)])

func ours(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], _ resources: [Resource] = [])
    -> Target
{
    .testTarget(
        name: name,
        dependencies: dependencies,
        resources: resources,
        swiftSettings: strict
    )
}

let argumentParser: Target.Dependency =
    .product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "ferry",
    products: [
        .executable(name: "ferryd", targets: ["ferryd"]),
        .executable(name: "ferryctl", targets: ["ferryctl"]),
        .executable(name: "ferry-simd", targets: ["ferry-simd"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
        // For tests only: reads openapi/ferry.yaml.
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    ],
    targets: [
        .target(name: "CVFIO"),
        .target(name: "CWorkload"),
        .target(name: "CSystem"),
        .target(name: "CContract"),
        .systemLibrary(name: "CMicrohttpd", pkgConfig: "libmicrohttpd"),
        .systemLibrary(name: "CJansson", pkgConfig: "jansson"),
        .systemLibrary(name: "CGnuTLS", pkgConfig: "gnutls"),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl"),

        ours("MigrationCore", []),
        ours("SystemIO", ["MigrationCore", "CSystem"]),
        ours("MigrationPorts", ["MigrationCore", "SystemIO"]),
        ours("VFIODevices", ["MigrationPorts", "MigrationCore", "SystemIO", "CVFIO"]),
        ours("SimulatedDevices", ["MigrationPorts", "MigrationCore", "SystemIO"]),
        ours("JSONCoding", ["CJansson"]),
        ours(
            "StateTransfer",
            ["MigrationPorts", "MigrationCore", "SystemIO", "JSONCoding", "CGnuTLS"]
        ),
        ours(
            "JobStore",
            [
                "MigrationPorts", "MigrationCore", "SystemIO", "JSONCoding",
                .product(name: "GRDB", package: "GRDB.swift"),
            ]
        ),
        ours(
            "JobEngine",
            ["MigrationPorts", "MigrationCore", "SystemIO", "StateTransfer", "CWorkload"]
        ),
        ours("APISchema", ["JSONCoding"]),
        ours(
            "ManagementAPI",
            ["MigrationCore", "JobEngine", "APISchema", "JSONCoding", "CContract"]
        ),
        ours("HTTPServer", ["ManagementAPI", "CMicrohttpd"]),
        ours("APIClient", ["APISchema", "JSONCoding", "CCurl"]),
        program(
            "ferryd",
            [
                "JSONCoding", "HTTPServer", "ManagementAPI", "JobEngine", "JobStore",
                "StateTransfer",
                "SimulatedDevices", "VFIODevices", "MigrationPorts", "MigrationCore", "SystemIO",
                argumentParser, .product(name: "Logging", package: "swift-log"),
            ]
        ),
        program(
            "ferryctl",
            [
                "APIClient", "APISchema", "JSONCoding", "MigrationCore", "SystemIO", argumentParser,
            ]
        ),
        program("ferry-simd", ["SimulatedDevices", "MigrationCore", argumentParser]),

        tests(
            "StateTransferTests",
            ["StateTransfer", "MigrationPorts", "MigrationCore", "SystemIO"]
        ),
        tests(
            "JobEngineTests",
            [
                "JobEngine", "JobStore", "StateTransfer", "SimulatedDevices", "MigrationPorts",
                "MigrationCore", "SystemIO", "CWorkload",
            ]
        ),
        tests(
            "JobStoreTests",
            [
                "JobStore", "MigrationPorts", "MigrationCore", "SystemIO",
                .product(name: "GRDB", package: "GRDB.swift"),
            ]
        ),
        tests("TidyTests", ["MigrationCore", "SystemIO"]),

        // The one conformance suite of the backend port, for simulated and real devices alike.
        .target(
            name: "BackendConformance",
            dependencies: ["MigrationPorts", "MigrationCore", "SystemIO"],
            path: "Tests/BackendConformance",
            swiftSettings: strict
        ),
        .executableTarget(
            name: "ferry-conformance",
            dependencies: [
                "BackendConformance", "VFIODevices", "SimulatedDevices", "MigrationPorts",
                "MigrationCore", "SystemIO",
            ],
            path: "Tests/ferry-conformance",
            swiftSettings: strict
        ),

        tests("MigrationCoreTests", ["MigrationCore"], [.copy("fsm-vectors.json")]),
        tests("JSONCodingTests", ["JSONCoding"]),
        tests(
            "ManagementAPITests",
            [
                "ManagementAPI", "JobEngine", "JobStore", "SimulatedDevices", "StateTransfer",
                "MigrationPorts", "MigrationCore", "SystemIO", "APISchema", "JSONCoding",
                "VFIODevices", .product(name: "Yams", package: "Yams"),
            ]
        ),
        tests(
            "SimulatedDevicesTests",
            [
                "SimulatedDevices", "BackendConformance", "MigrationPorts", "MigrationCore",
                "SystemIO",
            ]
        ),
        tests(
            "VFIODevicesTests",
            ["VFIODevices", "MigrationPorts", "MigrationCore", "SystemIO", "CVFIO"],
            [.copy("Fixtures")]
        ),
        tests("APIClientTests", ["APIClient", "APISchema", "HTTPServer", "ManagementAPI"]),
        tests(
            "FerryctlTests",
            ["ferryctl", "APIClient", "APISchema", "JSONCoding", argumentParser]
        ),
        tests(
            "FerrydTests",
            [
                "ferryd", "ManagementAPI", "MigrationCore", "VFIODevices", argumentParser,
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        tests(
            "HTTPServerTests",
            [
                "HTTPServer", "ManagementAPI", "JobEngine", "JobStore", "SimulatedDevices",
                "StateTransfer", "MigrationPorts", "MigrationCore",
            ]
        ),
    ]
)

// Fuzzing needs every target compiled for it: `make fuzz` says so (Tests/Fuzz).
if Context.environment["FERRY_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "ferry-fuzz",
            dependencies: [
                "APISchema", "JSONCoding", "ManagementAPI", "JobEngine", "StateTransfer",
                "VFIODevices", "MigrationPorts", "MigrationCore", "SystemIO",
            ],
            path: "Tests/Fuzz",
            exclude: ["run.sh", "README.md", "corpus"],
            swiftSettings: strict
        )
    )
}
