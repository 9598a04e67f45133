package org.elasticsearch.node;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import kestrel.Lease;
import kestrel.RootPlugin;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.http.HttpServerTransport;
import org.elasticsearch.plugins.ClassPathPlugins;
import org.elasticsearch.plugins.PluginsService;
import org.elasticsearch.transport.netty4.Netty4Plugin;

/**
 * One Elasticsearch node on a free loopback port, with the modules of the class path. It stands in this package because
 * the constructor of a node that takes its plugins from elsewhere than a folder can be seen only here.
 */
public final class ElasticsearchNode extends Node {
    private ElasticsearchNode(NodeConstruction construction) {
        super(construction);
    }

    /** Arguments: the folder of this server. */
    public static void main(String[] arguments) throws Exception {
        Path home = Path.of(arguments[0]).toAbsolutePath();
        Lease lease = new Lease(home);
        LogConfigurator.registerErrorListener();
        LogConfigurator.setNodeName("kestrel");
        LogConfigurator.configureESLogging();
        Settings.Builder settings = Settings.builder();
        lease.settings().forEach(settings::put);
        Environment environment = InternalSettingsPreparer.prepareEnvironment(settings.build(), Map.of(), home, () -> "kestrel");
        Node node = new ElasticsearchNode(NodeConstruction.prepareConstruction(environment, new Services(), true));
        node.start();
        int port = node.injector().getInstance(HttpServerTransport.class).boundAddress().publishAddress().getPort();
        lease.serve(port, node);
    }

    private static final class Services extends NodeServiceProvider {
        @Override
        PluginsService newPluginService(Environment environment, Settings settings) {
            return new ClassPathPlugins(environment, settings, List.of(Netty4Plugin.class, RootPlugin.class));
        }
    }
}
