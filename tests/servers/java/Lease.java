package kestrel;

import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Map;

/**
 * How long a test server runs: as long as somebody holds a shared lock on {@code users.lock} in its folder. The system
 * drops the locks of a dead process, so a server never outlives its tests. {@code port} says that it runs, and where.
 */
public final class Lease {
    private final Path home;

    public Lease(Path home) {
        this.home = home;
    }

    /** What both servers are told alike. */
    public Map<String, String> settings() {
        return Map.ofEntries(
            Map.entry("path.home", home.toString()),
            Map.entry("path.data", home.resolve("data").toString()),
            Map.entry("path.logs", home.resolve("logs").toString()),
            Map.entry("cluster.name", "kestrel-test"),
            Map.entry("node.name", "kestrel"),
            Map.entry("network.host", "127.0.0.1"),
            Map.entry("http.port", "0"),
            Map.entry("transport.port", "0"),
            Map.entry("http.type", "netty4"),
            Map.entry("transport.type", "netty4"),
            Map.entry("discovery.type", "single-node"),
            // Garbage that the collector has not looked at yet is no reason to turn a request away.
            Map.entry("indices.breaker.total.use_real_memory", "false"),
            Map.entry("action.destructive_requires_name", "false"),
            Map.entry("cluster.routing.allocation.disk.threshold_enabled", "false"),
            Map.entry("node.processors", "2"));
    }

    /** Tells the port and returns, the server closed, when the last user is gone or a signal asks for the end. */
    public void serve(int port, Closeable server) throws IOException, InterruptedException {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> close(server)));
        Path fresh = home.resolve("port.new");
        Files.writeString(fresh, Integer.toString(port));
        Files.move(fresh, home.resolve("port"), StandardCopyOption.ATOMIC_MOVE);
        try (FileChannel users = FileChannel.open(home.resolve("users.lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            FileLock everybody = users.tryLock();
            while (everybody == null) {
                Thread.sleep(1000);
                everybody = users.tryLock();
            }
            Files.deleteIfExists(home.resolve("port"));
            System.exit(0);
        }
    }

    private static void close(Closeable server) {
        try {
            server.close();
        } catch (IOException broken) {
            broken.printStackTrace();
        }
    }
}
