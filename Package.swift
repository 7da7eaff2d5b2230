// swift-tools-version: 6.2

import PackageDescription

/// One set of rules for every target.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let package = Package(
    name: "tallystick",
    products: [
        .library(name: "Tallystick", targets: ["Tallystick"]),
        .library(name: "TallystickCore", targets: ["TallystickCore"]),
        .library(name: "TallystickTestKit", targets: ["TallystickTestKit"]),
        .executable(name: "tally", targets: ["TallystickCLI"]),
        .executable(name: "tally-benchmarks", targets: ["TallystickBenchmarks"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
    ],
    targets: [
        .systemLibrary(
            name: "CTallystickSQLite",
            pkgConfig: "sqlite3",
            providers: [.apt(["libsqlite3-dev"]), .brew(["sqlite"])]
        ),
        .target(name: "CTallystickProcess"),
        .target(
            name: "TallystickSQLite",
            dependencies: ["CTallystickSQLite"],
            swiftSettings: strict
        ),
        .target(
            name: "TallystickCore",
            dependencies: [.product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: strict
        ),
        .target(
            name: "TallystickMigrations",
            path: "migrations",
            resources: [
                .embedInCode("V0001_initial.sql"), .embedInCode("V0002_reconciliation.sql"),
                .embedInCode("V0003_proof.sql"), .embedInCode("V0004_identity_segments.sql"),
                .embedInCode("V0005_provenance.sql"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "TallystickStorage",
            dependencies: [
                "TallystickCore", "TallystickSQLite", "TallystickMigrations", "CTallystickProcess",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "Tallystick",
            dependencies: [
                "TallystickStorage", "TallystickCore", "TallystickSQLite",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "TallystickTestKit",
            dependencies: ["Tallystick", "TallystickCore"],
            swiftSettings: strict
        ),
        .target(
            name: "CTallystickTestSupport",
            dependencies: ["CTallystickSQLite"],
            path: "Tests/CTallystickTestSupport"
        ),
        .target(
            name: "TallystickTestSupport",
            dependencies: ["TallystickTestKit", "TallystickCore", "CTallystickTestSupport"],
            path: "Tests/TallystickTestSupport",
            swiftSettings: strict
        ),
        .target(name: "CTallystickCLI"),
        .executableTarget(
            name: "TallystickCLI",
            dependencies: [
                "Tallystick", "TallystickCore", "CTallystickCLI",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Configuration", package: "swift-configuration"),
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "TallystickCrashWorker",
            dependencies: ["Tallystick", "TallystickCore"],
            swiftSettings: strict
        ),
        .target(name: "CTallystickBaseline", dependencies: ["CTallystickSQLite"]),
        .executableTarget(
            name: "TallystickBenchmarks",
            dependencies: [
                "Tallystick", "TallystickCore", "TallystickMigrations", "TallystickTestSupport",
                "CTallystickBaseline",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "TallystickSQLiteTests",
            dependencies: ["CTallystickSQLite", "TallystickSQLite", "TallystickTestSupport"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "TallystickCoreTests",
            dependencies: ["TallystickCore", "TallystickTestSupport"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "TallystickTests",
            dependencies: [
                "Tallystick", "TallystickCore", "TallystickMigrations", "TallystickSQLite",
                "TallystickStorage", "TallystickTestSupport", "CTallystickSQLite",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
            ],
            swiftSettings: strict
        ),
        .testTarget(name: "StyleTests", exclude: ["Lists"], swiftSettings: strict),
        .testTarget(
            name: "CLITests",
            dependencies: [
                "TallystickSQLite",
                "TallystickCLI", "TallystickBenchmarks", "TallystickCrashWorker",
                "TallystickCore", "TallystickTestSupport",
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "CrashTests",
            dependencies: [
                "Tallystick", "TallystickCLI", "TallystickCrashWorker", "TallystickSQLite",
                "TallystickTestSupport", "CTallystickSQLite",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            exclude: [
                "full-run.sh", "failing-calls.c", "failing-calls-run.sh",
                "concurrency-run.sh", "PowerLoss/disk-trace.c", "power-loss-run.sh",
                "canary-run.sh",
                "Canaries",
            ],
            swiftSettings: strict
        ),
    ]
)

// Needs `--sanitize=fuzzer`, so it is built on request only: see Tests/fuzz.sh.
if Context.environment["TALLY_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "TallystickFuzz",
            dependencies: ["TallystickTestSupport"],
            swiftSettings: strict
        )
    )
}
