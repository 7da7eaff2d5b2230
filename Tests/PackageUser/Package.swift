// swift-tools-version: 6.2

import PackageDescription

/// A package as users have it: Tallystick beside GRDB, and beside a target of the name that many give to their
/// own module map of SQLite.
let package = Package(
    name: "PackageUser",
    dependencies: [
        .package(name: "tallystick", path: "../.."),
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
    ],
    targets: [
        .systemLibrary(
            name: "CSQLite",
            pkgConfig: "sqlite3",
            providers: [.apt(["libsqlite3-dev"])]
        ),
        .executableTarget(
            name: "PackageUser",
            dependencies: [
                "CSQLite",
                .product(name: "Tallystick", package: "tallystick"),
                .product(name: "GRDB", package: "GRDB.swift"),
            ]
        ),
        // Written by run.sh from the README.
        .executableTarget(
            name: "ReadmeExample",
            dependencies: [
                .product(name: "Tallystick", package: "tallystick"),
                .product(name: "TallystickCore", package: "tallystick"),
            ]
        ),
    ],
    swiftLanguageModes: [.v6]
)
