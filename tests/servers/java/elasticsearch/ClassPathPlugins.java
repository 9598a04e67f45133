package org.elasticsearch.plugins;

import java.util.List;
import java.util.Map;
import org.elasticsearch.Build;
import org.elasticsearch.action.admin.cluster.node.info.PluginsAndModules;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.jdk.ModuleQualifiedExportsService;

/** The plugins of a node, taken from the class path and not from a folder of modules. */
public final class ClassPathPlugins extends PluginsService {
    private final List<LoadedPlugin> plugins;

    public ClassPathPlugins(Environment environment, Settings settings, List<Class<? extends Plugin>> classes) {
        super(settings, environment.configFile(), environment.modulesFile(), environment.pluginsFile());
        plugins = classes.stream()
            .map(type -> new LoadedPlugin(descriptor(type), loadPlugin(type, settings, environment.configFile())))
            .toList();
    }

    private static PluginDescriptor descriptor(Class<? extends Plugin> type) {
        String java = Integer.toString(Runtime.version().feature());
        String server = Build.current().version();
        return new PluginDescriptor(
            type.getName(), "from the class path", server, server, java, type.getName(), null, List.of(), false, false, false, false);
    }

    @Override
    protected List<LoadedPlugin> plugins() {
        return plugins;
    }

    @Override
    public PluginsAndModules info() {
        return new PluginsAndModules(plugins.stream().map(LoadedPlugin::descriptor).map(PluginRuntimeInfo::new).toList(), List.of());
    }

    /** Nothing to export: on the class path there are no named modules. */
    @Override
    protected void addServerExportsService(Map<String, List<ModuleQualifiedExportsService>> exports) {}
}
